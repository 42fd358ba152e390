"""Content Credentials: a signed C2PA manifest in a video, which says that a trained model made it, and of what.

The manifest holds no picture: of the portrait and the speech only the digests. Nothing is asked of the network, so that
there is neither a time stamp of an authority nor an answer whether the certificate was withdrawn.
"""

import importlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from pydantic import JsonValue

from foundation.packages import DISTRIBUTION, MissingPackageError, install_command
from foundation.storage.regular_files import read_small
from generation.mp4 import write_talking_mp4
from generation.trained_run import GenerationError
from manifests.generated_media import DIGITAL_SOURCE_TYPE

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate

__all__ = ["Signing", "load_signing", "signing_of"]

_MOST_PEM_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Signing:
    """A certificate with its key, by which videos are signed."""

    chain_pem: bytes
    """The certificate, then those that vouch for it."""
    key_pem: bytes = field(repr=False)
    """Its private key, PKCS 8."""
    algorithm: str
    """Of the signature, a name of `c2pa.C2paSigningAlg`."""
    holder: str
    """Subject of the certificate."""
    until: datetime
    """End of its validity."""

    def __str__(self) -> str:
        return f"{self.holder}, certificate valid until {self.until:%Y-%m-%d}"

    def signed(self, mp4: bytes, title: str, facts: Mapping[str, JsonValue]) -> bytes:
        """Return a video with a signed manifest; two calls give different bytes, for a manifest has an id of its own.

        Args:
            mp4: the video.
            title: name that the manifest gives it.
            facts: what it was made with; stands in the manifest as parameters of the action.

        Raises:
            GenerationError: it cannot be signed with this certificate.
            MissingPackageError: c2pa-python is not installed.
        """
        c2pa = _package()
        agent = {"name": DISTRIBUTION, "version": version(DISTRIBUTION)}
        created = {
            "action": "c2pa.created",
            "digitalSourceType": DIGITAL_SOURCE_TYPE,
            "softwareAgent": agent,
            "parameters": dict(facts),
        }
        manifest = {
            "claim_generator_info": [agent],
            "title": title,
            "format": "video/mp4",
            "assertions": [{"label": "c2pa.actions", "data": {"actions": [created]}}],
        }
        written = io.BytesIO()
        try:
            info = c2pa.C2paSignerInfo(
                alg=getattr(c2pa.C2paSigningAlg, self.algorithm),
                sign_cert=self.chain_pem,
                private_key=self.key_pem,
                ta_url=None,
            )
            with c2pa.Signer.from_info(info) as signer, c2pa.Builder(json.dumps(manifest, allow_nan=False)) as builder:
                builder.sign(signer, "video/mp4", io.BytesIO(mp4), written)
        except c2pa.C2paError as error:
            raise GenerationError(
                f"--credentials: C2PA does not sign with the certificate of {self.holder}: {error}; give one of C2PA's "
                "profile: not self-issued, for digital signatures, with an extended use such as emailProtection"
            ) from error
        return written.getvalue()


def signing_of(credentials: tuple[Path, Path] | None) -> Signing | None:
    """Return what signs videos, by the files of a certificate and of its key; None: they are not signed.

    Raises:
        GenerationError, MissingPackageError: as of `load_signing`.
    """
    return None if credentials is None else load_signing(*credentials)


def load_signing(certificate: Path, key: Path) -> Signing:
    """Read a certificate with its key, and sign a picture with them to see that it can be done.

    Args:
        certificate: PEM file with the certificate first, then those that vouch for it.
        key: PEM file with its private key, without a passphrase.

    Raises:
        MissingPackageError: c2pa-python is not installed.
        GenerationError: a file is not of its kind, the key is not that of the certificate, or the certificate is not
            valid today or of another profile than C2PA's.
        OSError: a file cannot be read.
    """
    _package()
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    chain_pem = read_small(certificate, _MOST_PEM_BYTES)
    own, private = _certificate(certificate, chain_pem), _private_key(key)
    if own.public_key() != private.public_key():
        raise GenerationError(
            f"--credentials: the key in {key} is not that of the first certificate in {certificate}; give the key that "
            "the certificate was issued for, and its certificate first"
        )
    first, last, now = own.not_valid_before_utc, own.not_valid_after_utc, datetime.now(UTC)
    if not first <= now <= last:
        raise GenerationError(
            f"--credentials: the certificate in {certificate} is valid from {first:%Y-%m-%d %H:%M} to "
            f"{last:%Y-%m-%d %H:%M} UTC, and it is {now:%Y-%m-%d %H:%M}; give one that is valid"
        )
    signing = Signing(
        chain_pem=chain_pem,
        key_pem=private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        algorithm=_algorithm(private, key),
        holder=own.subject.rfc4514_string(),
        until=last,
    )
    trial = io.BytesIO()
    write_talking_mp4(trial, [np.zeros((64, 64, 3), np.uint8)], 64, None, 48_000, {})
    signing.signed(trial.getvalue(), "trial", {})
    return signing


def _package() -> ModuleType:
    try:
        return importlib.import_module("c2pa")
    except ImportError as error:
        raise MissingPackageError(f"--credentials takes a package: {install_command('c2pa-python')}") from error


def _certificate(path: Path, content: bytes) -> "Certificate":
    """Return the first certificate of a PEM file."""
    from cryptography.x509 import load_pem_x509_certificates

    try:
        return load_pem_x509_certificates(content)[0]
    except ValueError as error:
        raise GenerationError(f"--credentials: {path} holds no certificate in PEM: {error}") from error


def _private_key(path: Path) -> "PrivateKeyTypes":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    content = read_small(path, _MOST_PEM_BYTES)
    try:
        return load_pem_private_key(content, password=None)
    except TypeError as error:
        raise GenerationError(f"--credentials: the key in {path} has a passphrase; give one without") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise GenerationError(f"--credentials: {path} holds no private key in PEM that can be read") from error


def _algorithm(private: "PrivateKeyTypes", path: Path) -> str:
    """Return the algorithm of C2PA for a key."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    curves = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
    if isinstance(private, ec.EllipticCurvePrivateKey) and private.curve.name in curves:
        return curves[private.curve.name]
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return "ED25519"
    if isinstance(private, rsa.RSAPrivateKey):
        return "PS256"
    raise GenerationError(
        f"--credentials: the key in {path} is of a kind that C2PA does not sign with; give one of P-256, P-384, P-521, "
        "Ed25519 or RSA"
    )
