"""What the attached screen shows, and the displays that show it."""
