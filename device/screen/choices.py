"""What a person chose on the settings page, kept in a small file in the data folder; the settings file comes first."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from device.settings import DisplaySettings
from smear.bundle.files import FileFault, read_file
from smear.output_files import write_atomic

FILE = "screen.json"


class Choices(BaseModel):
    """The file's content."""

    model_config = ConfigDict(frozen=True)

    theme: Literal["dark", "light", "contrast"] = "dark"
    language: Literal["en", "de", "es", "fr", "id"] = "en"
    brightness: float | None = Field(default=None, ge=0.05, le=1)  # None: as it is
    lock_after_min: int = Field(default=15, ge=0, le=600)  # without a touch, where a PIN is set; 0: by the button alone

    @classmethod
    def read(cls, data: Path) -> "Choices":
        """Return what is kept in the data folder; a file that is missing or damaged costs the choices, no more."""
        try:
            return cls.model_validate_json(read_file(data / FILE, 10_000))
        except (FileFault, ValidationError):
            return cls()

    def write(self, data: Path) -> None:
        """Keep it.

        Raises:
            StoreError: the disk is full or read-only.
        """
        write_atomic(data / FILE, self.model_dump_json().encode())


def fixed(settings: DisplaySettings) -> set[str]:
    """Return which choices the settings file makes."""
    return settings.model_fields_set & Choices.model_fields.keys()
