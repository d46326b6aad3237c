"""Pages that look after the device: its calibration, its quality control of the day, and its settings."""
