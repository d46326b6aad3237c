"""Cameras by name, and the calibration that belongs to one."""
