"""Stands in for the kms++ binding, which Debian has not: picamera2 imports it for a preview that is never shown."""


class _Any:
    def __getattr__(self, name: str) -> str:
        return name


PixelFormat = _Any()
