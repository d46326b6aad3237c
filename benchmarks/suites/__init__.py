"""What is measured, one subject a module."""
