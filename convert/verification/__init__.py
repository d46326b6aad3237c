"""Checks that each converted level gives the outputs of the trained network."""
