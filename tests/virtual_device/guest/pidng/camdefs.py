"""See the package."""


class Picamera2Camera:
    """Only its name is imported."""
