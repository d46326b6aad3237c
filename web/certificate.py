"""The server's own TLS certificate: made once, and recognised by its fingerprint."""

import hashlib
import ipaddress
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

from web.accounts import write_owned

CERTIFICATE, KEY = "certificate.pem", "key.pem"
_BEGINS = datetime(2020, 1, 1, tzinfo=UTC)  # not now: a Pi without a network believes that it is some earlier day
_DAYS = 30 * 365  # nobody renews it; who distrusts it removes both files


def own_certificate(folder: Path) -> tuple[Path, Path]:
    """Return where certificate and key are; they are made where one is missing."""
    certificate, key = folder / CERTIFICATE, folder / KEY
    if not (certificate.is_file() and key.is_file()):
        _make(folder)
    return certificate, key


def _make(folder: Path) -> None:
    from cryptography import x509  # here: it takes 11 MB, and is needed once
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    host = socket.gethostname()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"Smearscope on {host}"[:64])])
    names: list[x509.GeneralName] = [x509.DNSName(each) for each in {"localhost", host, f"{host}.local"}]
    names += [x509.IPAddress(ipaddress.ip_address(each)) for each in ("127.0.0.1", "::1")]
    made = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(_BEGINS)
        .not_valid_after(_BEGINS + timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    pkcs8, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    write_owned(folder, KEY, private.private_bytes(serialization.Encoding.PEM, pkcs8, none))
    write_owned(folder, CERTIFICATE, made.public_bytes(serialization.Encoding.PEM))


def fingerprint(certificate: Path) -> str:
    """Return the SHA-256 of a certificate as browsers show it."""
    from ssl import PEM_cert_to_DER_cert

    digest = hashlib.sha256(PEM_cert_to_DER_cert(certificate.read_text("ascii"))).hexdigest().upper()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))
