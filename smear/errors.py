"""Every error Smearscope raises on purpose: each says what was wrong and what to do next."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


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


def first_line(error: Exception) -> str:
    """Return the first line of what `error` says, or its kind where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def first_fault(error: "ValidationError", whole: str = "the file") -> str:
    """Return the first value that pydantic refused, with its place; `whole` where it is the content as such."""
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or whole}: {first['msg']}"
