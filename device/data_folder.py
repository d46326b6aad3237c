"""Where records are kept, when nothing or something else is said."""

import os
from contextlib import suppress
from pathlib import Path

from device.settings import SYSTEM_FILE, Settings, load_settings
from device.user_paths import expand_given
from smear.errors import SettingsError

SERVICE_DATA = Path("/var/lib/smearscope")
DATA_VARIABLE = "SMEARSCOPE_DATA_DIR"


def service_data() -> Path:
    """Return the data folder of the service: the one that its settings file names, else systemd's for it."""
    with suppress(SettingsError):  # the service does not start with such a file
        if os.access(SYSTEM_FILE, os.R_OK):
            return load_settings(SYSTEM_FILE).store.folder or SERVICE_DATA
    return SERVICE_DATA


def data_folder(settings: Settings, given: Path | None = None) -> Path:
    """Return the data folder; see `find_data_folder`.

    Raises:
        SettingsError: none is named, and this user has no home to put one in.
    """
    found = find_data_folder(settings, given)
    if found is None:
        raise SettingsError(
            f"this user has no home folder for the records; give a data folder with --data or ${DATA_VARIABLE}"
        )
    return found


def find_data_folder(settings: Settings, given: Path | None = None) -> Path | None:
    """Return the data folder: --data, $SMEARSCOPE_DATA_DIR, that of the settings, of the service, or of the user.

    None: none is named, and this user has no home to put one in.
    """
    if given is not None:
        return expand_given(given, "--data")
    if named := os.environ.get(DATA_VARIABLE):
        return expand_given(Path(named), f"${DATA_VARIABLE}")
    if settings.store.folder is not None:
        return settings.store.folder
    if state := os.environ.get("STATE_DIRECTORY"):  # systemd's, for a unit with StateDirectory=
        return Path(state.split(":", 1)[0])
    if os.access(SERVICE_DATA, os.W_OK):  # this user may maintain the records of the service
        return SERVICE_DATA
    if shared := os.environ.get("XDG_DATA_HOME"):
        return Path(shared) / "smearscope"
    try:
        return Path.home() / ".local/share/smearscope"
    except RuntimeError:
        return None
