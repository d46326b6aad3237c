"""One module per sub-command; each exposes a click command called `command`."""
