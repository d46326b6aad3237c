"""Backups of a data folder: each is a manifest over files that are stored once by checksum, whoever shares them."""
