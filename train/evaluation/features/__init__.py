"""What the classifier's last maps hold of a field, with the shipped bundle."""
