"""The web's place in the local network, announced by Avahi where that is installed."""

from pathlib import Path

from smear.output_files import OutputFolder

SERVICES = Path("/etc/avahi/services")
_FILE = "smearscope.service"
_TEXT = """\
<?xml version="1.0" standalone="no"?>
<!DOCTYPE service-group SYSTEM "avahi-service.dtd">
<service-group><name replace-wildcards="yes">Smearscope on %h</name>
<service><type>_https._tcp</type><port>{port}</port></service></service-group>
"""


def announce(port: int) -> bool:
    """Let Avahi announce the pages on `port` from now on; False: there is no Avahi here."""
    if not SERVICES.is_dir():
        return False
    with OutputFolder(SERVICES) as folder:
        folder.write(_FILE, _TEXT.format(port=port).encode(), mode=0o644)
    return True


def withdraw() -> None:
    """Announce nothing any more."""
    (SERVICES / _FILE).unlink(missing_ok=True)
