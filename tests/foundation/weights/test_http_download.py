"""Downloads from a web server: taken up again, never glued to another version, and each failure said in words."""

import hashlib
import os
import stat
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from helpers.web_server import FileServer

from foundation.weights import (
    AssetError,
    AssetFile,
    DownloadError,
    MissingAssetsError,
    UrlSource,
    WrongAssetError,
    cache_folder,
)
from foundation.weights.http_download import Download
from foundation.weights.store import fetch_assets, find_asset

CONTENT = bytes(range(256)) * 1000
"""256,000 bytes."""

CUT = 3 * 65536
"""Where connections break: after three of the pieces in which bytes are taken."""


def url(server: FileServer, name: str = "w.bin") -> UrlSource:
    return UrlSource(url=f"{server.url}/{name}")


def left_in(cache: Path) -> list[str]:
    return sorted(entry.name for entry in cache.iterdir() if entry.name != ".lock")


def test_a_missing_file_is_downloaded_and_nothing_else_is_left(server: FileServer, cache: Path) -> None:
    server.serve("w.bin", CONTENT)
    path = fetch_assets([server.asset(CONTENT, sources=(url(server),))])["fake"]
    assert path == cache / "w.bin"
    assert path.read_bytes() == CONTENT
    assert left_in(cache) == ["w.bin"]


def test_half_a_download_is_gone_on_with_from_where_it_broke(server: FileServer, cache: Path) -> None:
    server.serve("w.bin", CONTENT)
    server.files["/w.bin"].cut_after = CUT
    asset = server.asset(CONTENT, sources=(url(server),))
    with pytest.raises(MissingAssetsError, match=r"w\.bin: .*0\.2 MB are kept, the next attempt goes on there"):
        fetch_assets([asset])
    assert find_asset(asset) is None
    assert fetch_assets([asset])["fake"].read_bytes() == CONTENT
    assert server.asked == [("/w.bin", None), ("/w.bin", f"bytes={CUT}-")]
    assert left_in(cache) == ["w.bin"]


def test_a_connection_that_brought_much_is_taken_up_again_at_once(server: FileServer, cache: Path) -> None:
    content = os.urandom(3_000_000)
    server.serve("w.bin", content)
    server.files["/w.bin"].cut_after = 40 * 65536
    assert fetch_assets([server.asset(content, sources=(url(server),))])["fake"].read_bytes() == content
    assert server.asked == [("/w.bin", None), ("/w.bin", f"bytes={40 * 65536}-")]
    assert left_in(cache) == ["w.bin"]


def test_half_a_download_whose_file_changed_at_the_server_begins_anew(server: FileServer, cache: Path) -> None:
    server.serve("w.bin", b"old" * 85_000)
    server.files["/w.bin"].cut_after = CUT
    asset = server.asset(CONTENT, sources=(url(server),))
    with pytest.raises(MissingAssetsError):
        fetch_assets([asset])
    server.files["/w.bin"].content, server.files["/w.bin"].etag = CONTENT, '"2"'
    assert fetch_assets([asset])["fake"].read_bytes() == CONTENT
    assert server.asked[1] == ("/w.bin", f"bytes={CUT}-"), "it asked for the rest, on condition"
    assert left_in(cache) == ["w.bin"]


@pytest.mark.parametrize("etag", ['W/"1"', ""])
def test_without_a_mark_of_the_version_a_download_begins_anew(server: FileServer, cache: Path, etag: str) -> None:
    server.serve("w.bin", CONTENT)
    server.files["/w.bin"].cut_after, server.files["/w.bin"].etag = CUT, etag
    asset = server.asset(CONTENT, sources=(url(server),))
    with pytest.raises(MissingAssetsError):
        fetch_assets([asset])
    assert fetch_assets([asset])["fake"].read_bytes() == CONTENT
    assert server.asked == [("/w.bin", None)] * 2
    assert cache.is_dir()


def test_a_server_without_ranges_sends_the_file_again(server: FileServer, cache: Path) -> None:
    server.serve("w.bin", CONTENT)
    server.files["/w.bin"].cut_after, server.files["/w.bin"].knows_ranges = CUT, False
    asset = server.asset(CONTENT, sources=(url(server),))
    with pytest.raises(MissingAssetsError):
        fetch_assets([asset])
    assert fetch_assets([asset])["fake"].read_bytes() == CONTENT
    assert left_in(cache) == ["w.bin"]


def test_a_download_that_was_whole_when_the_process_died_is_not_asked_for_again(
    server: FileServer, cache: Path
) -> None:
    server.serve("w.bin", CONTENT)
    cache.mkdir(parents=True)
    Download(url(server).url, cache).fetch("w.bin", len(CONTENT), None)
    assert fetch_assets([server.asset(CONTENT, sources=(url(server),))])["fake"].read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_a_file_of_another_hash_is_deleted_and_the_next_url_is_tried(server: FileServer, cache: Path) -> None:
    server.serve("w.bin", b"tampered")
    server.serve("copy.bin", CONTENT)
    asset = server.asset(CONTENT, sources=(url(server), url(server, "copy.bin")))
    assert fetch_assets([asset])["fake"].read_bytes() == CONTENT
    assert [path for path, _ in server.asked] == ["/w.bin", "/copy.bin"]
    assert left_in(cache) == ["w.bin"]


def test_where_every_url_brings_another_file_both_hashes_and_every_url_are_named(
    server: FileServer, cache: Path
) -> None:
    server.serve("w.bin", b"tampered")
    asset = server.asset(CONTENT, sources=(url(server), url(server, "gone.bin")))
    with pytest.raises(MissingAssetsError) as caught:
        fetch_assets([asset])
    message = str(caught.value)
    for part in (hashlib.sha256(CONTENT).hexdigest(), hashlib.sha256(b"tampered").hexdigest(), "was deleted"):
        assert part in message
    assert f"tried {server.url}/gone.bin: the server answers 404 Not Found" in message
    assert left_in(cache) == []


def test_without_a_network_every_url_and_its_reason_are_named(server: FileServer, cache: Path) -> None:
    urls = ("http://127.0.0.1:9/a.bin", "http://nowhere.invalid/b.bin")
    with pytest.raises(MissingAssetsError) as caught:
        fetch_assets([server.asset(CONTENT, sources=tuple(UrlSource(url=one) for one in urls))])
    message = str(caught.value)
    assert "tried http://127.0.0.1:9/a.bin: ConnectionError: " in message
    assert "Connection refused" in message
    assert "tried http://nowhere.invalid/b.bin: ConnectionError: " in message
    for way in ("foundation.weights.pull_assets(['fake'])", "GAIA_MODELS="):
        assert way in message
    assert left_in(cache) == []


def test_a_server_that_fails_is_named_with_its_answer(server: FileServer, cache: Path) -> None:
    server.serve("w.bin", CONTENT)
    server.files["/w.bin"].status = 503
    cache.mkdir(parents=True)
    with pytest.raises(DownloadError, match="the server answers 503 Service Unavailable"):
        Download(url(server).url, cache).fetch("w.bin", len(CONTENT), None)


def test_the_hub_is_asked_at_the_server_that_hf_endpoint_names(
    server: FileServer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    server.serve("who/what/resolve/main/w.bin", CONTENT)
    source = UrlSource(url="https://huggingface.co/who/what/resolve/main/w.bin")
    assert fetch_assets([server.asset(CONTENT, sources=(source,))])["fake"].read_bytes() == CONTENT
    assert left_in(cache) == ["w.bin"]


def test_a_folder_asset_appears_with_all_its_files_or_not_at_all(server: FileServer, cache: Path) -> None:
    contents = (b"zero" * 100, b"one" * 100)
    asset = server.asset(*contents, sources=(UrlSource(url=f"{server.url}/repo/"),))
    server.serve("repo/0", contents[0])
    with pytest.raises(MissingAssetsError, match="404"):
        fetch_assets([asset])
    assert not (cache / "group").exists()
    server.serve("repo/1", contents[1])
    folder = fetch_assets([asset])["group/fake"]
    assert folder == cache / "group" / "fake"
    assert [(folder / name).read_bytes() for name in ("0", "1")] == list(contents)
    assert [path for path, _ in server.asked].count("/repo/0") == 1, "what was whole is not downloaded twice"
    assert left_in(cache) == ["group"]


@pytest.mark.usefixtures("cache")
def test_progress_is_told_with_the_size_that_the_server_states(server: FileServer, cache: Path) -> None:
    told: list[tuple[str, int, int]] = []

    class Watcher:
        def advance(self, name: str, done_bytes: int, total_bytes: int) -> None:
            told.append((name, done_bytes, total_bytes))

    server.serve("w.bin", CONTENT)
    fetch_assets([server.asset(CONTENT, sources=(url(server),))], Watcher())
    assert told[-1] == ("w.bin", 256_000, 256_000)
    assert cache_folder() == cache


def test_a_wrong_file_that_lies_in_the_cache_is_refused_with_what_to_do(server: FileServer, cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / "w.bin").write_bytes(b"something else")
    with pytest.raises(WrongAssetError, match=r"w\.bin.* delete it and run `gaia-curate models pull fake`"):
        fetch_assets([server.asset(CONTENT, sources=(url(server),))])


def test_a_server_that_states_more_than_the_registered_size_sends_nothing_that_is_kept(
    server: FileServer, cache: Path
) -> None:
    server.serve("w.bin", CONTENT + b"!")
    with pytest.raises(MissingAssetsError, match=r"states 256,001 bytes, and the registered file has 256,000"):
        fetch_assets([server.asset(CONTENT, sources=(url(server),))])
    assert left_in(cache) == []


def test_a_server_that_sends_more_than_the_registered_size_is_stopped_there(cache: Path) -> None:
    sent = []

    class Endless(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            try:
                for _ in range(2000):
                    self.wfile.write(b"x" * 65536)
                    sent.append(65536)
            except OSError:
                return

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Endless) as endless:
        threading.Thread(target=endless.serve_forever, daemon=True).start()
        source = UrlSource(url=f"http://127.0.0.1:{endless.server_port}/w.bin")
        asset = FileServer(url="").asset(CONTENT, sources=(source,))
        with pytest.raises(MissingAssetsError, match=r"and goes on, and the registered file has 256,000"):
            fetch_assets([asset])
        endless.shutdown()
    assert sum(sent) < 64 << 20, "of 131 MB"
    assert left_in(cache) == []


def test_a_rounded_size_may_be_exceeded_by_a_hundredth() -> None:
    file = AssetFile(name="w.bin", sha256="0" * 64, size_bytes=1000, size_is_rounded=True)
    assert (file.most_bytes, replace(file, size_is_rounded=False).most_bytes) == (1010, 1000)


def test_bytes_so_far_are_the_users_alone_and_the_mirrors_password_is_not_kept(
    server: FileServer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server.url.replace("http://", "http://anna:hunter2@"))
    server.serve("w.bin", CONTENT)
    server.files["/w.bin"].cut_after = CUT
    asset = server.asset(CONTENT, sources=(UrlSource(url="https://huggingface.co/w.bin"),))
    with pytest.raises(MissingAssetsError):
        fetch_assets([asset])
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    (part,) = cache.glob("*.part")
    assert stat.S_IMODE(part.stat().st_mode) == 0o600
    assert not any(b"hunter2" in path.read_bytes() for path in cache.iterdir())
    assert fetch_assets([asset])["fake"].read_bytes() == CONTENT
    assert server.asked[1] == ("/w.bin", f"bytes={CUT}-")


def test_a_cache_of_another_user_is_refused_and_a_link_of_ones_own_is_followed(
    server: FileServer, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.serve("w.bin", CONTENT)
    asset = server.asset(CONTENT, sources=(url(server),))
    (tmp_path / "large disk").mkdir()
    cache.parent.mkdir()
    cache.symlink_to(tmp_path / "large disk")
    with monkeypatch.context() as other:
        mine = os.geteuid()
        other.setattr(os, "geteuid", lambda: mine + 1)
        with pytest.raises(AssetError, match="is a link"):
            fetch_assets([asset])
    assert server.asked == []
    assert fetch_assets([asset])["fake"] == cache / "w.bin"
    assert (tmp_path / "large disk" / "w.bin").read_bytes() == CONTENT
