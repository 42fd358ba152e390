"""Digests: pinned, recorded at first use, remembered, and read anew."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.web_server import FileServer

from foundation.weights import UrlSource, WrongAssetError, asset_record, integrity
from foundation.weights.inspection import asset_statuses, verify_assets
from foundation.weights.store import fetch_assets, find_asset

CONTENT = b"pretend weights" * 100


def test_a_digest_that_is_not_whole_is_recorded_at_first_use_and_held_to(
    server: FileServer, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()
    asset = server.asset(CONTENT, sources=(UrlSource(url=server.serve("w.bin", CONTENT)),), digest=digest[:8])
    path = fetch_assets([asset])["fake"]
    assert (cache / "w.bin.sha256").read_text() == f"{digest}  w.bin\n"
    assert "taken on trust" in caplog.text
    other = next(b"%d" % k for k in range(10**6) if hashlib.sha256(b"%d" % k).hexdigest()[:2] == digest[:2])
    loose = server.asset(CONTENT, sources=(), digest=digest[:2])
    path.write_bytes(other)
    with pytest.raises(WrongAssetError, match=rf"had {digest} when it was first used \(says .*w\.bin\.sha256"):
        find_asset(loose)
    with pytest.raises(WrongAssetError, match=f"has one that begins with {digest[:8]}"):
        find_asset(asset)


def test_a_mirror_can_bring_the_digest_beside_the_file(
    server: FileServer, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAIA_MODELS", str(tmp_path))
    digest = hashlib.sha256(CONTENT).hexdigest()
    (tmp_path / "w.bin").write_bytes(CONTENT)
    (tmp_path / "w.bin.sha256").write_text(f"{'0' * 64}  w.bin\n")
    with pytest.raises(WrongAssetError, match="0" * 64):
        find_asset(server.asset(CONTENT, sources=(), digest=digest[:8]))
    assert not cache.exists()


@pytest.mark.usefixtures("cache")
def test_a_large_file_is_read_once_until_it_changes(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    content = os.urandom(4_000_000)
    asset = server.asset(content, sources=(UrlSource(url=server.serve("w.bin", content)),))
    path = fetch_assets([asset])["fake"]
    read: list[Path] = []
    digest_of = integrity.file_sha256
    monkeypatch.setattr(integrity, "file_sha256", lambda one: read.append(one) or digest_of(one))
    integrity._remembered_digest.cache_clear()  # as in another process
    assert find_asset(asset) == path
    assert read == []
    os.utime(path, ns=(1, 1))
    assert find_asset(asset) == path
    assert read == [path]
    path.write_bytes(content[::-1])
    with pytest.raises(WrongAssetError):
        find_asset(asset)


def test_verify_reads_what_is_remembered_as_whole(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = os.urandom(4_000_000)
    record = asset_record("det_10g")
    file = replace(record.files[0], sha256=hashlib.sha256(content).hexdigest())
    made = replace(record, files=(file,))
    monkeypatch.setattr("foundation.weights.inspection.asset_record", {"det_10g": made}.__getitem__)
    cache.mkdir(parents=True)
    path = cache / "det_10g.onnx"
    path.write_bytes(content)
    assert [status.path for status in asset_statuses(["det_10g"])] == [path]
    before = path.stat()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert find_asset(made) == path, "same size and time: believed"
    (check,) = verify_assets(["det_10g"])
    assert check.path == path
    assert "delete it and run `gaia-curate models pull det_10g`" in check.problem
