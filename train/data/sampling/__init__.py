"""Endlessly varied batches of crops, of masked fields and of whole fields."""
