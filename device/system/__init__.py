"""The machine around the device: systemd, clocks, health, memory."""
