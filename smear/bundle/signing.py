"""Optional Ed25519 signatures of a bundle's manifest, which holds the checksum of everything else in it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from smear.bundle.files import MAX_TEXT_BYTES, MISSING, FileFault, read_file
from smear.bundle.folder import Bundle, load_bundle
from smear.bundle.manifest import MANIFEST, SIGNATURE, manifest_bytes
from smear.errors import BundleError, SettingsError
from smear.output_files import write_atomic

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PRIVATE_MODE = 0o600
SIGNATURE_BYTES = 64
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493  # of edwards25519, RFC 8032


def make_keys(private: Path, public: Path) -> None:
    """Write a new key pair as PEM files: `private` to sign with on the desktop, `public` for the devices.

    Raises:
        SettingsError: a file is already there, or `cryptography` is not installed.
        StoreError: a file cannot be written.
    """
    _need_cryptography()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    for file in (private, public):
        if os.path.lexists(file):
            raise SettingsError(f"{file} exists already and bundles may depend on it; choose another name")
    key = Ed25519PrivateKey.generate()
    write_atomic(
        private,
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        PRIVATE_MODE,
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
    write_atomic(path / SIGNATURE, key.sign(manifest_bytes(path)))


def load_signed_bundle(path: Path, public: Path | None) -> Bundle:
    """Open the bundle at `path` as `load_bundle` does; with the key `public`, only if its owner signed it.

    Raises:
        BundleError: as `load_bundle` and `check_signature`.
        SettingsError: `public` is not an Ed25519 public key.
    """
    manifest = manifest_bytes(path)
    check_signature(path, manifest, public)
    return load_bundle(path, manifest)


def check_signature(path: Path, manifest: bytes, public: Path | None) -> None:
    """Check the signature of the bundle at `path`, whose manifest.json was read as `manifest`.

    Without a key a bundle need not be signed; one whose signature is none is refused all the same.

    Raises:
        BundleError: malformed; or, with the key `public`, unsigned, signed by another key, or altered since.
        SettingsError: `public` is not an Ed25519 public key.
    """
    key = None if public is None else _public_key(public)
    try:
        signature = read_file(path / SIGNATURE, MAX_TEXT_BYTES)
    except FileFault as error:
        if str(error) != MISSING:
            raise BundleError(f"bundle {path}: {SIGNATURE} {error}; sign it with 'smearscope model sign'") from error
        if key is None:
            return
        raise BundleError(
            f"bundle {path}: {SIGNATURE} is missing and this device takes signed bundles only; "
            "sign it with 'smearscope model sign'"
        ) from None
    if not is_well_formed(signature):
        raise BundleError(f"bundle {path}: {SIGNATURE} is no Ed25519 signature; sign it with 'smearscope model sign'")
    if key is None or public is None:
        return
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(signature, manifest)
    except InvalidSignature:
        raise BundleError(
            f"bundle {path}: {SIGNATURE} does not fit {MANIFEST} and {public.name}; it was altered, "
            "or signed by another key"
        ) from None


def is_well_formed(signature: bytes) -> bool:
    """Tell whether `signature` can be one of Ed25519: 64 bytes, the last 32 a number below the group's order."""
    return len(signature) == SIGNATURE_BYTES and int.from_bytes(signature[32:], "little") < GROUP_ORDER


def _public_key(public: Path) -> "Ed25519PublicKey":
    _need_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(read_file(public, MAX_TEXT_BYTES, follow=True))
    except (FileFault, ValueError, UnsupportedAlgorithm) as error:
        raise SettingsError(
            f"{public}: not a public key ({error}); give the file made by 'smearscope model keygen'"
        ) from error
    if not isinstance(key, Ed25519PublicKey):
        raise SettingsError(f"{public}: not an Ed25519 key; give the file made by 'smearscope model keygen'")
    return key


def _need_cryptography() -> None:
    try:
        import cryptography  # noqa: F401
    except ModuleNotFoundError:
        raise SettingsError(
            "signatures need the package 'cryptography'; install it with: pip install 'smearscope[sign]'"
        ) from None
