"""Libraries that one format alone needs."""

from importlib.util import find_spec

from smear.errors import SmearscopeError


def require(module: str) -> None:
    """Check before anything is written that `module` is installed.

    Raises:
        SmearscopeError: it is not.
    """
    if find_spec(module) is None:
        raise SmearscopeError(f"this format needs {module}, which is not installed; pip install 'smearscope[device]'")
