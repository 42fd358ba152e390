"""Signed videos, read back by C2PA's own reader; the certificates are made here."""

import importlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import c2pa
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from typer.testing import CliRunner

import generation
from curation.media.origin.generated_tags import generated_tags
from foundation.packages import MissingPackageError
from foundation.storage.digest import file_sha256
from generation import GenerationError
from generation.cli import app
from generation.content_credentials import load_signing
from generation.mp4 import write_talking_mp4

TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, kw_only=True)
class Files:
    """Files of a certificate and its key."""

    certificate: Path
    key: Path


def certificate(subject: str, key: Key, issuer: str, by: ec.EllipticCurvePrivateKey, **other: object) -> bytes:
    """A certificate of a day, PEM; `is_root`, `ended` and `purpose` make it another."""
    is_root, now = bool(other.get("is_root")), datetime.now(UTC)
    start = now - timedelta(days=3 if other.get("ended") else 1)
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in (subject, issuer)]
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"), False
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(names[0])
        .issuer_name(names[1])
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not is_root, key_cert_sign=is_root, crl_sign=is_root, decipher_only=False, **usage
            ),
            critical=True,
        )
    )
    if not is_root:
        purpose = other.get("purpose", ExtendedKeyUsageOID.EMAIL_PROTECTION)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    return builder.sign(by, hashes.SHA256()).public_bytes(Encoding.PEM)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Files]:
    """Make a certificate that a root of its own vouches for: `key=` of another kind, `ended=True`, `purpose=`."""

    def made(key: Key | None = None, *, passphrase: bytes | None = None, **other: object) -> Files:
        root, key = ec.generate_private_key(ec.SECP256R1()), key or ec.generate_private_key(ec.SECP256R1())
        files = Files(certificate=tmp_path / "cert.pem", key=tmp_path / "key.pem")
        files.certificate.write_bytes(
            certificate("gaia-test", key, "test-root", root, **other)
            + certificate("test-root", root, "test-root", root, is_root=True)
        )
        how = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
        old = isinstance(key, ec.EllipticCurvePrivateKey) and passphrase is None
        form = PrivateFormat.TraditionalOpenSSL if old else PrivateFormat.PKCS8
        files.key.write_bytes(key.private_bytes(Encoding.PEM, form, how))
        return files

    return made


def video() -> bytes:
    written = io.BytesIO()
    frames = [np.full((64, 64, 3), 9 * n, np.uint8) for n in range(5)]
    write_talking_mp4(written, frames, 64, None, 48_000, {"comment": "made"})
    return written.getvalue()


def read(content: bytes) -> dict:
    with c2pa.Reader("video/mp4", io.BytesIO(content)) as reader:
        return json.loads(reader.json())


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (lambda: ec.generate_private_key(ec.SECP256R1()), "Es256"),
        (lambda: ec.generate_private_key(ec.SECP384R1()), "Es384"),
        (ed25519.Ed25519PrivateKey.generate, "Ed25519"),
        (lambda: rsa.generate_private_key(65_537, 2048), "Ps256"),
    ],
    ids=["P-256", "P-384", "Ed25519", "RSA"],
)
def test_a_signed_video_says_who_made_it_of_what_and_that_a_model_did(
    make: Callable[..., Files], key: Callable[[], Key], algorithm: str, tmp_path: Path
) -> None:
    files = make(key())
    signing = load_signing(files.certificate, files.key)
    signed = signing.signed(video(), "talking.mp4", {"seed": 3, "sha256": {"portrait": "ab" * 32}})
    found = read(signed)
    assert found["validation_state"] == "Valid"
    # nobody on this machine vouches for the root
    assert [one["code"] for one in found["validation_status"]] == ["signingCredential.untrusted"]
    manifest = found["manifests"][found["active_manifest"]]
    assert manifest["title"] == "talking.mp4"
    assert manifest["claim_generator_info"][0]["name"] == "gaia-avatar"
    assert manifest["signature_info"]["alg"] == algorithm
    assert manifest["signature_info"]["common_name"] == "gaia-test"
    (actions,) = (one["data"] for one in manifest["assertions"] if one["label"].startswith("c2pa.actions"))
    (created,) = actions["actions"]
    assert (created["action"], created["digitalSourceType"]) == ("c2pa.created", TRAINED)
    assert created["softwareAgent"]["name"] == "gaia-avatar"
    assert created["parameters"] == {"seed": 3, "sha256": {"portrait": "ab" * 32}}
    assert str(signing).startswith("CN=gaia-test, certificate valid until 20")
    (tmp_path / "signed.mp4").write_bytes(signed)
    assert generated_tags(tmp_path / "signed.mp4") == ("trained_algorithmic_media", "content_credentials")


def test_a_changed_picture_is_found_by_the_reader(make: Callable[..., Files]) -> None:
    files = make()
    signed = bytearray(load_signing(files.certificate, files.key).signed(video(), "a.mp4", {}))
    signed[signed.rindex(b"mdat") + 40] ^= 1
    assert read(bytes(signed))["validation_state"] == "Invalid"


def test_a_key_of_another_certificate_is_refused(make: Callable[..., Files], tmp_path: Path) -> None:
    other = make().key.rename(tmp_path / "other.pem")
    with pytest.raises(GenerationError, match=r"the key in .*other\.pem is not that of the first certificate in"):
        load_signing(make().certificate, other)


def test_an_expired_certificate_is_refused_with_its_dates(make: Callable[..., Files]) -> None:
    files = make(ended=True)
    with pytest.raises(GenerationError, match=r"valid from \d{4}-\d\d-\d\d \d\d:\d\d to .* UTC, and it is \d{4}"):
        load_signing(files.certificate, files.key)


def test_a_certificate_for_another_purpose_is_refused_before_anything_is_made(make: Callable[..., Files]) -> None:
    files = make(purpose=ExtendedKeyUsageOID.SERVER_AUTH)
    with pytest.raises(GenerationError, match=r"C2PA does not sign with the certificate of CN=gaia-test"):
        load_signing(files.certificate, files.key)


def test_files_of_another_kind_are_refused(make: Callable[..., Files], tmp_path: Path) -> None:
    files, text = make(), tmp_path / "notes.txt"
    text.write_text("no PEM")
    with pytest.raises(GenerationError, match=r"notes\.txt holds no certificate in PEM"):
        load_signing(text, files.key)
    with pytest.raises(GenerationError, match=r"notes\.txt holds no private key in PEM"):
        load_signing(files.certificate, text)
    with pytest.raises(FileNotFoundError):
        load_signing(files.certificate, tmp_path / "nowhere.pem")
    locked = make(passphrase=b"secret")
    with pytest.raises(GenerationError, match=r"has a passphrase; give one without"):
        load_signing(locked.certificate, locked.key)
    odd = make(ec.generate_private_key(ec.SECP256K1()))
    with pytest.raises(GenerationError, match=r"of a kind that C2PA does not sign with"):
        load_signing(odd.certificate, odd.key)


def test_without_the_package_the_command_that_installs_it_is_told(
    make: Callable[..., Files], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found, files = importlib.import_module, make()

    def missing(name: str) -> object:
        if name == "c2pa":
            raise ImportError(name=name)
        return found(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(MissingPackageError, match=r"--credentials takes a package: python -m pip install \S*c2pa"):
        load_signing(files.certificate, files.key)
    given = ["--run", "run", "--portrait", "me.png", "--speech", "hello.wav", "--out", str(tmp_path / "out.mp4")]
    done = CliRunner().invoke(app, [*given, "--credentials", str(files.certificate), str(files.key)])
    assert (done.exit_code, done.stderr.count("\n")) == (3, 1)
    assert "takes a package" in done.stderr


@pytest.mark.slow
def test_a_made_video_is_signed_in_one_piece_and_a_refused_one_leaves_the_older(
    make: Callable[..., Files], diffusion_run: Path, portrait: Path, speech: Path, tmp_path: Path
) -> None:
    files, out = make(), tmp_path / "new" / "out.mp4"
    given = {"portrait": portrait, "speech": speech, "out": out}
    plan = generation.talking_video(diffusion_run, **given, credentials=(files.certificate, files.key), dry_run=True)
    assert plan.plan[-1].startswith("signed by: CN=gaia-test, certificate valid until")
    generation.talking_video(diffusion_run, **given, credentials=(files.certificate, files.key))
    assert [path.name for path in out.parent.iterdir()] == ["out.mp4"]
    found = read(out.read_bytes())
    assert found["validation_state"] == "Valid"
    manifest = found["manifests"][found["active_manifest"]]
    (actions,) = (one["data"] for one in manifest["assertions"] if one["label"].startswith("c2pa.actions"))
    parameters = actions["actions"][0]["parameters"]
    assert parameters["sha256"] == {"portrait": file_sha256(portrait), "speech": file_sha256(speech)}
    assert parameters["run"] == "tiny/step_00000007"
    assert generated_tags(out) == ("gaia_avatar", "trained_algorithmic_media", "content_credentials")
    before, ended = out.read_bytes(), make(ended=True)
    with pytest.raises(GenerationError, match="is valid from"):
        generation.talking_video(diffusion_run, **given, credentials=(ended.certificate, ended.key))
    assert out.read_bytes() == before
