"""Every network by name, and what they are built from."""
