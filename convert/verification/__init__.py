"""Proof that a converted level answers as the trained network does."""
