"""The device in other people's systems: Prometheus, Home Assistant, and the names of the local network."""
