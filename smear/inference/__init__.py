"""From a frame to a finding, and from a bundle to one that is proven."""
