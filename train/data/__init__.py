"""Labelled fields and masks: read, audited, split, augmented and batched."""
