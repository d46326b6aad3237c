"""Every error Smearscope raises on purpose: each says what was wrong and what to do next."""


class SmearscopeError(Exception):
    """Base of all expected errors; the command line prints it on one line and exits non-zero."""


class ImageError(SmearscopeError):
    """A picture cannot be read, or is not what a field must be."""


class BundleError(SmearscopeError):
    """A model bundle is missing, altered, incomplete or of a schema this version cannot read."""


class RuntimeUnavailableError(SmearscopeError):
    """The requested inference runtime, level or delegate is not available on this machine."""


class InferenceError(SmearscopeError):
    """A model was loaded but did not answer, or not in time."""


class CameraError(SmearscopeError):
    """A camera cannot be opened, was lost, or delivered no frame in time."""


class EndOfFramesError(CameraError):
    """A finite source (files) has no more frames: the normal end, not a fault."""


class DisplayError(SmearscopeError):
    """A screen cannot be opened or was lost."""


class StoreError(SmearscopeError):
    """A record cannot be written or read."""


class SettingsError(SmearscopeError):
    """The configuration holds values that are not allowed."""


class DatasetError(SmearscopeError):
    """A folder of training data is missing, empty, or not laid out as expected."""


class TrainingError(SmearscopeError):
    """A training run cannot be started, resumed or read."""


class ConversionError(SmearscopeError):
    """A trained model cannot be converted, or its converted form failed verification."""
