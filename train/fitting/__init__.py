"""Fitting segmenter, classifier and the compared networks."""
