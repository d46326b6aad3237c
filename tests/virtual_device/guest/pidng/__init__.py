"""Stands in for PiDNG, which has no wheel: picamera2 imports it at the top, and needs it only to write DNG files."""
