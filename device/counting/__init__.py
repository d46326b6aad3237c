"""Differential counts: classes of cells, and how many of each a person found."""
