"""Others beside ours: engines for the same networks, programs that segment, libraries that train."""
