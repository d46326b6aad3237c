"""Labelled fields and masks: found, audited, split, augmented and batched."""
