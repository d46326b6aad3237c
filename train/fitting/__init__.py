"""Fitting of networks: training loop, stages of each network, calibration."""
