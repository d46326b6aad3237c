"""Others beside ours: engines for the same networks, programs that segment, libraries that train.

A module of steps is run in an interpreter that may lack Smearscope, and needs nothing else of it.
"""
