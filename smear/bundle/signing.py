"""Optional Ed25519 signatures of a bundle's manifest, which holds the checksum of everything else in it."""

from pathlib import Path

from smear.bundle.manifest import MANIFEST, SIGNATURE
from smear.errors import BundleError, SettingsError
from smear.images import write_atomic

PRIVATE_MODE = 0o600


def make_keys(private: Path, public: Path) -> None:
    """Write a new key pair as PEM files: `private` to sign with on the desktop, `public` for the devices.

    Raises:
        SettingsError: a file is already there, or `cryptography` is not installed.
    """
    _need_cryptography()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    for file in (private, public):
        if file.exists():
            raise SettingsError(f"{file} exists already and bundles may depend on it; choose another name")
    key = Ed25519PrivateKey.generate()
    private.touch(PRIVATE_MODE)
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    write_atomic(
        public,
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
    )


def sign(path: Path, private: Path) -> None:
    """Write the detached signature of the bundle at `path` beside its manifest.

    Raises:
        SettingsError: `private` is not an Ed25519 private key.
        BundleError: there is no manifest.
    """
    _need_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(private.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise SettingsError(
            f"{private}: not a private key ({error}); make one with 'smearscope model keygen'"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(f"{private}: not an Ed25519 key; make one with 'smearscope model keygen'")
    write_atomic(path / SIGNATURE, key.sign(_manifest(path)))


def check_signature(path: Path, public: Path) -> None:
    """Check that the bundle at `path` was signed by the owner of `public`.

    Raises:
        BundleError: unsigned, or signed by another key, or altered since.
        SettingsError: `public` is not an Ed25519 public key.
    """
    _need_cryptography()
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(public.read_bytes())
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{public}: not a public key ({error}); give the file made by 'smearscope model keygen'"
        ) from error
    if not isinstance(key, Ed25519PublicKey):
        raise SettingsError(f"{public}: not an Ed25519 key; give the file made by 'smearscope model keygen'")
    try:
        signature = (path / SIGNATURE).read_bytes()
    except OSError:
        raise BundleError(
            f"bundle {path}: {SIGNATURE} is missing and this device takes signed bundles only; "
            "sign it with 'smearscope model sign'"
        ) from None
    try:
        key.verify(signature, _manifest(path))
    except InvalidSignature:
        raise BundleError(
            f"bundle {path}: {SIGNATURE} does not fit {MANIFEST} and {public.name}; it was altered, "
            "or signed by another key"
        ) from None


def _manifest(path: Path) -> bytes:
    try:
        return (path / MANIFEST).read_bytes()
    except OSError as error:
        raise BundleError(f"bundle {path}: no {MANIFEST}; give the folder of a bundle") from error


def _need_cryptography() -> None:
    try:
        import cryptography  # noqa: F401
    except ModuleNotFoundError:
        raise SettingsError(
            "signatures need the package 'cryptography'; install it with: pip install 'smearscope[sign]'"
        ) from None
