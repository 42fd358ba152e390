"""Where weights are looked for, how they get there, and what is said where they cannot."""

import errno
import hashlib
import io
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.web_server import FileServer

from curation.output.weights_used import needed_assets
from curation.settings import PRESETS
from foundation.weights import (
    AssetError,
    MissingAssetsError,
    PipSource,
    UrlSource,
    ZipSource,
    asset_digest,
    asset_names,
    asset_path,
    asset_record,
    ensure_assets,
    integrity,
    missing_assets,
    pull_assets,
    store,
)
from foundation.weights.inspection import asset_statuses
from foundation.weights.store import fetch_assets, find_asset

CONTENT = b"pretend weights" * 100


def zip_of(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def zip_source(server: FileServer, member: str, archive: bytes) -> ZipSource:
    return ZipSource(
        url=f"{server.url}/pack.zip",
        member=member,
        archive_sha256=hashlib.sha256(archive).hexdigest(),
        archive_size_bytes=len(archive),
    )


def test_a_member_is_taken_out_of_a_zip_and_the_archive_is_not_kept(server: FileServer, cache: Path) -> None:
    archive = zip_of({"models/w.bin": CONTENT, "models/other": b"not wanted"})
    server.serve("pack.zip", archive)
    asset = server.asset(CONTENT, sources=(zip_source(server, "models/w.bin", archive),))
    assert fetch_assets([asset])["fake"].read_bytes() == CONTENT
    assert sorted(entry.name for entry in cache.iterdir()) == [".lock", "w.bin"]


def test_a_zip_of_another_hash_is_not_opened_and_the_copy_of_its_member_is_taken(
    server: FileServer, cache: Path
) -> None:
    server.serve("pack.zip", zip_of({"w.bin": b"tampered"}))
    copy = UrlSource(url=server.serve("copy.bin", CONTENT))
    asset = server.asset(CONTENT, sources=(zip_source(server, "w.bin", b"the real archive"), copy))
    assert fetch_assets([asset])["fake"].read_bytes() == CONTENT
    assert sorted(entry.name for entry in cache.iterdir()) == [".lock", "w.bin"]


def test_a_zip_without_the_member_is_named_as_such(server: FileServer, cache: Path) -> None:
    archive = zip_of({"other": b""})
    server.serve("pack.zip", archive)
    with pytest.raises(MissingAssetsError, match=r"pack\.zip: the archive does not yield fake"):
        fetch_assets([server.asset(CONTENT, sources=(zip_source(server, "w.bin", archive),))])
    assert sorted(entry.name for entry in cache.iterdir()) == [".lock"]


def test_two_assets_of_one_archive_take_one_download(
    server: FileServer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = {"det_10g.onnx": b"det", "w600k_r50.onnx": b"rec"}
    archive = zip_of(both)
    server.serve("pack.zip", archive)
    records = {}
    for name in ("det_10g", "w600k_r50"):
        file = f"{name}.onnx"
        made = server.asset(both[file], sources=(zip_source(server, file, archive),))
        records[name] = replace(made, name=name, files=(replace(made.files[0], name=file),))
    monkeypatch.setattr(store, "asset_record", records.__getitem__)
    paths = pull_assets(["det_10g", "w600k_r50"])
    assert {name: path.read_bytes() for name, path in paths.items()} == {"det_10g": b"det", "w600k_r50": b"rec"}
    assert len(server.asked) == 1
    assert paths["det_10g"].parent == cache


def test_two_processes_pulling_at_once_make_one_download(server: FileServer, cache: Path, tmp_path: Path) -> None:
    content = os.urandom(4_000_000)
    asset = server.asset(content, sources=(UrlSource(url=server.serve("w.bin", content)),))
    (tmp_path / "asset").write_bytes(pickle.dumps(asset))
    program = (
        "import pickle, pathlib, sys; from foundation.weights.store import fetch_assets; "
        "asset = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes()); print(fetch_assets([asset])['fake'])"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "asset")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=120)[0].strip() for process in both] == [str(cache / "w.bin")] * 2
    assert len(server.asked) == 1
    assert (cache / "w.bin").read_bytes() == content


def test_whoever_waits_for_another_process_is_told(
    server: FileServer, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asset = server.asset(CONTENT, sources=(UrlSource(url=server.serve("w.bin", CONTENT)),))
    cache.mkdir(parents=True)
    held = store.FileLock(cache / ".lock", is_singleton=False)

    class Waiting(store.FileLock):
        def acquire(self, timeout: float | None = None, **more: object) -> object:
            if timeout is None:
                held.release()
            return super().acquire(timeout=timeout, **more)

    held.acquire()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "FileLock", Waiting)
        assert fetch_assets([asset])["fake"].read_bytes() == CONTENT
    assert "another process is fetching weights" in caplog.text


def test_a_disk_that_is_too_small_stops_before_the_first_byte(
    server: FileServer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = zip_of({"w.bin": CONTENT})
    server.serve("pack.zip", archive)
    usage = shutil.disk_usage(cache.parents[2])
    monkeypatch.setattr("shutil.disk_usage", lambda _path: usage._replace(free=50_000_000))
    with pytest.raises(AssetError, match=r"has 50 MB free, but fetching fake takes 50 MB: make room, .*GAIA_CACHE"):
        fetch_assets([server.asset(CONTENT, sources=(zip_source(server, "w.bin", archive),))])
    assert server.asked == []


def test_a_cache_that_cannot_be_written_says_where_else_to_put_it(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("where the cache's folder would have to be")
    monkeypatch.setenv("GAIA_CACHE", str(tmp_path / "file"))
    asset = server.asset(CONTENT, sources=(UrlSource(url=server.serve("w.bin", CONTENT)),))
    with pytest.raises(AssetError, match=r"cannot keep model weights in .*file.*: .*name a folder .* in GAIA_CACHE"):
        fetch_assets([asset])


def test_a_read_only_cache_serves_what_it_holds_and_refuses_the_rest(
    server: FileServer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = os.urandom(5_000_000)
    held = server.asset(content, sources=(UrlSource(url=server.serve("w.bin", content)),))
    fetch_assets([held])
    wanted = server.asset(CONTENT, b"", sources=(UrlSource(url=f"{server.url}/"),))

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    integrity._remembered_digest.cache_clear()
    shutil.rmtree(cache / ".checked")
    monkeypatch.setattr("foundation.weights.integrity.write_bytes_atomic", refuse)
    monkeypatch.setattr(store, "FileLock", refuse)
    assert find_asset(held) == cache / "w.bin"
    assert not (cache / ".checked").exists()
    with pytest.raises(AssetError, match=r"Read-only file system; name a folder that can be written to in GAIA_CACHE"):
        fetch_assets([wanted])


def test_a_read_only_mirror_is_used_and_never_written_to(
    server: FileServer, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    content = os.urandom(5_000_000)
    (mirror / "w.bin").write_bytes(content)
    mirror.chmod(0o555)
    monkeypatch.setenv("GAIA_MODELS", str(mirror))
    digest = hashlib.sha256(content).hexdigest()
    asset = server.asset(content, sources=(), digest=digest[:16])
    assert fetch_assets([asset])["fake"] == mirror / "w.bin"
    assert [entry.name for entry in mirror.iterdir()] == ["w.bin"]
    assert (cache / "w.bin.sha256").read_text().split() == [digest, "w.bin"]


def test_a_mirror_that_does_not_exist_is_named_in_the_message(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAIA_MODELS", str(tmp_path / "typo"))
    with pytest.raises(MissingAssetsError, match=r"typo \(GAIA_MODELS; there is no such folder\)"):
        asset_path("det_10g")
    assert not cache.exists()


def test_a_run_fetches_nothing_from_other_servers_and_lists_all_that_is_missing(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = needed_assets(PRESETS["paper"])
    monkeypatch.setattr(store, "fetch_into_cache", lambda *_, **__: pytest.fail("it fetched something"))
    with pytest.raises(MissingAssetsError) as caught:
        ensure_assets(names)
    message = str(caught.value)
    for asset in map(asset_record, names):
        for part in (f"  {asset.name}: ", asset.licence, asset.files[0].name):
            assert part in message
    for way in (f"gaia-curate models pull {names[0]}", "GAIA_MODELS=FOLDER"):
        assert way in message
    assert "--preset" not in message  # not every command has one
    assert "16.9 MB" in message
    assert [asset.name for asset in missing_assets(names)] == names
    assert not cache.exists()


def test_a_file_that_nobody_offers_is_said_to_be_offered_nowhere(cache: Path) -> None:
    with pytest.raises(MissingAssetsError, match=r"offered nowhere as it is: docs/reference/weights\.md") as caught:
        pull_assets(["face_mask_detection_onnx"])
    assert "models pull" not in str(caught.value)
    assert cache.is_dir()


def test_other_ways_of_the_caller_are_named_with_those_to_get_the_weights(cache: Path) -> None:
    with pytest.raises(MissingAssetsError, match=r"(?s)Ways to continue:.*GAIA_MODELS=FOLDER.*  --set a=b$"):
        ensure_assets(["dns64"], ["  --set a=b"])
    assert not cache.exists()


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'face_landmark' is unknown; known are .*face_landmarker"):
        asset_path("face_landmark")


def test_every_record_is_complete() -> None:
    for asset in map(asset_record, asset_names()):
        assert asset.licence, asset.name
        assert asset.licence_url.startswith("https://"), asset.name
        for file in asset.files:
            assert len(file.sha256) >= 16, file.name
            assert set(file.sha256) <= set("0123456789abcdef"), file.name
        for source in asset.sources:
            if isinstance(source, PipSource):
                assert "==" in source.requirement, asset.name
            else:
                assert source.url.startswith("https://"), asset.name
                assert source.url.endswith("/") == asset.is_folder, asset.name
            assert isinstance(source, UrlSource) or len(source.archive_sha256) == 64, asset.name


def test_every_file_of_the_shared_folder_is_the_one_of_its_record(
    shared_dir: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAIA_MODELS", str(shared_dir / "models"))
    found = {status.asset.name for status in asset_statuses(asset_names()) if status.path}
    assert found >= {"face_landmarker", "scrfd_2.5g", "scrfd_500m_bnkps", "3ddfa_mb05", "3ddfa_whitening", "lr_asd_ava"}
    for name in found:
        assert asset_path(name).stat().st_size == asset_record(name).size_bytes
        assert asset_digest(name) == hashlib.sha256(asset_path(name).read_bytes()).hexdigest()
    assert not [status.problem for status in asset_statuses(asset_names()) if status.problem]
    assert (cache / ".checked").exists() is any(asset_record(name).size_bytes >= 4_000_000 for name in found)
