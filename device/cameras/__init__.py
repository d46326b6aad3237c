"""Cameras by name, and the calibration of a microscope."""
