"""Slides leaving the device, a module for each family of formats; each export answers from one moment."""
