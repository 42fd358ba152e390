"""Source videos on an S3 server and on web servers: found, told apart, copied to scratch or read by ranges."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from helpers.made_videos import TalkingFace, frame_times, talking_video
from helpers.store_server import StoreServer

import curation.sources.content
from curation.media.audio import tick_audio
from curation.media.errors import MediaError
from curation.media.frames import tick_frames
from curation.media.probe import probe
from curation.media.remote import RemoteMedia
from curation.operations.retry import retry
from curation.operations.run import run
from curation.output.known_videos import under_known_ids
from curation.output.ledger import VideoRecord
from curation.output.removals import keys_of, without_removed
from curation.settings import CurationSettings, load_settings
from curation.sources.content import fingerprint
from curation.sources.discover import discover
from curation.sources.entries import SourceError, SourceVideo
from curation.sources.scratch import ScratchSettings, readable, require_scratch
from foundation.storage.atomic import write_bytes_atomic
from foundation.storage.locations import StorageError, location
from foundation.storage.path_text import text_of_path
from manifests.files.tables import read_table
from manifests.removals import Removals
from manifests.reports.validate import validate

NO_ROOM = 0.0


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory, talking_face: TalkingFace) -> Path:
    """A video of 2 s with sound."""
    path = tmp_path_factory.mktemp("talk") / "talk.mp4"
    return talking_video(path, talking_face, frame_times(Fraction(25), 50), sound=talking_face.sound(0.0, 2.0))


@pytest.fixture
def raw(bucket: Path, talk: Path) -> Path:
    """A folder on the server: two different videos, a copy of one, a text."""
    for name in ("b/talk.mp4", "a 100% ü.mp4"):
        write_bytes_atomic(bucket / "raw" / name, talk.read_bytes())
    write_bytes_atomic(bucket / "raw" / "b" / "other.MKV", talk.read_bytes() + b"tail")
    write_bytes_atomic(bucket / "raw" / "b" / "notes.txt", b"text")
    return bucket / "raw"


def _scratch(tmp_path: Path, limit_gib: float = 1.0) -> ScratchSettings:
    return ScratchSettings(folder=tmp_path / "scratch", limit_gib=limit_gib)


def _copies(tmp_path: Path) -> list[str]:
    return [path.name for path in (tmp_path / "scratch").glob("[!.]*")]


def _one(address: str) -> SourceVideo:
    (video,) = discover(address).videos
    return video


def test_a_folder_is_listed_with_ids_sources_and_copies_as_a_local_one(raw: Path, talk: Path) -> None:
    found = discover(str(raw))
    assert [(video.path.name, video.source, video.size_bytes) for video in found.videos] == [
        ("a 100% ü.mp4", "raw", talk.stat().st_size),
        ("other.MKV", "b", talk.stat().st_size + 4),
        ("talk.mp4", "b", talk.stat().st_size),
    ]
    first, _, copy = found.videos
    assert first.video_id == copy.video_id == fingerprint(talk)
    assert copy.duplicate_of == first.path
    assert text_of_path(first.path) == f"{raw}/a 100%25 ü.mp4"
    assert found.ignored_files == 1


def test_a_slash_at_the_end_of_an_address_changes_nothing(raw: Path) -> None:
    assert discover(f"{raw}/") == discover(str(raw))


def test_a_pattern_a_file_and_a_list_name_videos(raw: Path, tmp_path: Path, talk: Path) -> None:
    assert [video.path.name for video in discover(f"{raw}/b/*.mp4").videos] == ["talk.mp4"]
    assert [video.source for video in discover(f"{raw}/b/talk.mp4").videos] == ["b"]
    rows = f"path,speaker_id\n{raw}/b/talk.mp4,anna\n{talk},ben\n"
    (tmp_path / "list.csv").write_text(rows)
    assert [video.speaker_id for video in discover(str(tmp_path / "list.csv")).videos] == ["ben", "anna"]
    write_bytes_atomic(raw / "list.csv", b"path,source\nb/talk.mp4,own\n")
    assert [(video.path, video.source) for video in discover(f"{raw}/list.csv").videos] == [(raw / "b/talk.mp4", "own")]


def test_an_address_without_videos_is_told(raw: Path) -> None:
    with pytest.raises(SourceError, match="holds no video"):
        discover(f"{raw}/nothing")


def test_listing_a_large_video_fetches_its_samples_of_six_mebibytes(bucket: Path, s3: StoreServer) -> None:
    write_bytes_atomic(bucket / "raw" / "large.mp4", os.urandom(16 << 20))
    s3.forget()
    video = _one(str(bucket / "raw" / "large.mp4"))
    assert 6 << 20 <= s3.sent_bytes < (6 << 20) + 20_000, s3.requests
    assert video.size_bytes == 16 << 20


def _changed(content: bytes, position: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]


LARGE = 12 << 20

BETWEEN_SAMPLES = (1 << 20) + (200 << 10)
"""A byte of a file of 12 MiB that is in no sample: the first ends 128 KiB after the first MiB."""


def test_files_that_differ_between_their_samples_are_read_whole_and_are_two_videos(
    bucket: Path, s3: StoreServer
) -> None:
    content = os.urandom(LARGE)
    write_bytes_atomic(bucket / "raw" / "a.mp4", content)
    alone = _one(str(bucket / "raw" / "a.mp4"))
    write_bytes_atomic(bucket / "raw" / "b.mp4", _changed(content, BETWEEN_SAMPLES))
    s3.forget()
    one, other = discover(str(bucket / "raw")).videos
    assert s3.sent_bytes > 2 * LARGE
    assert one.video_id != other.video_id
    assert (one.duplicate_of, other.duplicate_of) == (None, None)
    assert alone.video_id in one.other_ids


def test_copies_on_a_store_that_states_their_digest_are_not_read_whole(bucket: Path, s3: StoreServer) -> None:
    content = os.urandom(LARGE)
    for name in ("a.mp4", "b.mp4"):
        write_bytes_atomic(bucket / "raw" / name, content)
    s3.forget()
    one, other = discover(str(bucket / "raw")).videos
    assert other.duplicate_of == one.path
    assert s3.sent_bytes < 2 * (6 << 20) + 100_000


def test_a_large_file_and_its_copy_on_a_store_are_one_video(bucket: Path, tmp_path: Path) -> None:
    content = os.urandom(LARGE)
    write_bytes_atomic(bucket / "raw" / "a.mp4", content)
    (tmp_path / "z.mp4").write_bytes(content)
    (tmp_path / "list.csv").write_text(f"path\n{bucket / 'raw' / 'a.mp4'}\nz.mp4\n")
    one, other = discover(str(tmp_path / "list.csv")).videos
    assert other.duplicate_of == one.path
    assert one.video_id == other.video_id == fingerprint(tmp_path / "z.mp4")
    assert _one(str(bucket / "raw" / "a.mp4")).video_id[:8] == one.video_id[:8]
    write_bytes_atomic(bucket / "raw" / "a.mp4", _changed(content, BETWEEN_SAMPLES))
    assert [video.duplicate_of for video in discover(str(tmp_path / "list.csv")).videos] == [None, None]


def test_a_dataset_knows_a_large_file_again_after_it_went_to_a_store_or_came_from_there(
    bucket: Path, tmp_path: Path
) -> None:
    content = os.urandom(LARGE)
    write_bytes_atomic(bucket / "raw" / "a.mp4", content)
    write_bytes_atomic(bucket / "raw" / "b.mp4", _changed(content, LARGE - 1))
    (tmp_path / "a.mp4").write_bytes(content)
    here, there = _one(str(tmp_path / "a.mp4")), _one(str(bucket / "raw" / "a.mp4"))
    other = _one(str(bucket / "raw" / "b.mp4"))
    assert len({here.video_id, there.video_id, other.video_id}) == 3
    for known, listed in ((here, there), (there, here)):
        records = {known.video_id: VideoRecord.failed(known, "internal", "made by the test")}
        assert [video.video_id for video in under_known_ids([listed, other], records).videos] == [
            known.video_id,
            other.video_id,
        ]
        removals = Removals(salt="00").extended(keys_of(records[known.video_id]), None)
        assert without_removed(removals, [listed, other]) == [other]


def test_an_empty_object_is_unreadable_and_the_error_names_its_address(bucket: Path, tmp_path: Path) -> None:
    write_bytes_atomic(bucket / "raw" / "nothing.mp4", b"")
    address = bucket / "raw" / "nothing.mp4"
    video = _one(str(address))
    assert (video.size_bytes, video.read_error) == (0, None)
    for limit_gib in (1.0, NO_ROOM):
        with pytest.raises(MediaError) as caught, readable(video, _scratch(tmp_path, limit_gib)) as path:
            probe(path)
        assert caught.value.code == "unreadable"
        assert caught.value.detail == f"{address} is empty (0 bytes)"


def test_hidden_objects_are_left_alone(raw: Path, talk: Path) -> None:
    for name in ("b/._talk.mp4", ".Trashes/501/gone.mp4", "@eaDir/talk.mp4/SYNOVIDEO.mp4"):
        write_bytes_atomic(raw / name, talk.read_bytes())
    found = discover(str(raw))
    assert [video.path.name for video in found.videos] == ["a 100% ü.mp4", "other.MKV", "talk.mp4"]
    assert sorted(found.left_alone) == [".Trashes", "@eaDir", "b/._talk.mp4"]
    assert [video.path.name for video in discover(f"{raw}/.Trashes").videos] == ["gone.mp4"]
    assert [video.path.name for video in discover(f"{raw}/b/*.mp4").videos] == ["talk.mp4"]


def test_a_copy_in_scratch_is_the_source_and_goes_with_the_unit(raw: Path, talk: Path, tmp_path: Path) -> None:
    with readable(_one(f"{raw}/b/talk.mp4"), _scratch(tmp_path)) as path:
        assert path.read_bytes() == talk.read_bytes()
        assert path.suffix == ".mp4"
        assert len(_copies(tmp_path)) == 1
    assert _copies(tmp_path) == []


def test_an_error_about_a_copy_names_the_source_and_leaves_nothing(raw: Path, tmp_path: Path) -> None:
    write_bytes_atomic(raw / "broken.mp4", b"no video")
    with pytest.raises(MediaError) as caught, readable(_one(f"{raw}/broken.mp4"), _scratch(tmp_path)) as path:
        probe(path)
    assert caught.value.code == "unreadable"
    assert f"{raw}/broken.mp4" in caught.value.detail
    assert str(tmp_path) not in caught.value.detail
    assert _copies(tmp_path) == []


def test_without_room_ranges_give_the_same_pictures_and_sound(raw: Path, talk: Path, tmp_path: Path) -> None:
    local = probe(talk)
    with readable(_one(f"{raw}/b/talk.mp4"), _scratch(tmp_path, NO_ROOM)) as path:
        assert str(path) == f"{raw}/b/talk.mp4"
        remote = probe(path)
        assert (remote.n_ticks, remote.first_pts, remote.end_pts) == (local.n_ticks, local.first_pts, local.end_pts)
        pairs = zip(tick_frames(remote, 10, 40), tick_frames(local, 10, 40), strict=True)
        assert all(np.array_equal(there.rgb, here.rgb) for there, here in pairs)
        np.testing.assert_array_equal(tick_audio(remote, 0, 50), tick_audio(local, 0, 50))
    assert _copies(tmp_path) == []


def test_copies_of_all_workers_together_keep_to_the_limit(raw: Path, talk: Path, tmp_path: Path) -> None:
    video = _one(f"{raw}/b/talk.mp4")
    limit = _scratch(tmp_path, limit_gib=1.5 * talk.stat().st_size / 2**30)
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    (tmp_path / "scratch").mkdir()
    shutil.copy(talk, tmp_path / "scratch" / f"{other.pid}-0123456789abcdef.mp4")
    with readable(video, limit) as path:
        assert path == video.path
    other.communicate(b"\n")
    with readable(video, limit) as path:  # what a dead process left makes room
        assert _copies(tmp_path) == [path.name]


def test_a_disk_without_room_for_a_copy_is_noticed_before_it_is_fetched(
    raw: Path, tmp_path: Path, s3: StoreServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = _one(f"{raw}/b/talk.mp4")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    s3.forget()
    with readable(video, _scratch(tmp_path)) as path:
        assert path == video.path
    assert s3.sent_bytes < 1000
    assert _copies(tmp_path) == []


@pytest.mark.parametrize("limit_gib", [1.0, NO_ROOM])
def test_a_video_that_was_replaced_since_it_was_listed_is_told(raw: Path, tmp_path: Path, limit_gib: float) -> None:
    video = _one(f"{raw}/b/talk.mp4")
    content = bytearray(video.path.read_bytes())
    content[len(content) // 2] ^= 1  # same length
    write_bytes_atomic(video.path, bytes(content))
    with pytest.raises(MediaError) as caught, readable(video, _scratch(tmp_path, limit_gib)):
        pass
    assert caught.value.code == "changed"
    assert _copies(tmp_path) == []


@pytest.mark.parametrize("limit_gib", [1.0, NO_ROOM])
def test_a_video_that_is_replaced_while_it_is_read_is_told(
    raw: Path, talk: Path, tmp_path: Path, limit_gib: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = _one(f"{raw}/b/talk.mp4")
    original = shutil.copyfileobj

    def replaced_then(*arguments: object) -> None:
        write_bytes_atomic(video.path, talk.read_bytes() + b"more")
        original(*arguments)

    monkeypatch.setattr(shutil, "copyfileobj", replaced_then)

    def read() -> None:
        with readable(video, _scratch(tmp_path, limit_gib)) as path:
            if limit_gib == NO_ROOM:
                write_bytes_atomic(path, talk.read_bytes() + b"more")

    with pytest.raises(MediaError) as caught:
        read()
    assert caught.value.code == "changed"
    assert _copies(tmp_path) == []


def test_a_video_that_is_gone_is_unreachable(raw: Path, tmp_path: Path) -> None:
    video = _one(f"{raw}/b/talk.mp4")
    video.path.unlink()
    with pytest.raises(MediaError) as caught, readable(video, _scratch(tmp_path)):
        pass
    assert caught.value.code == "unreachable"


def test_a_storage_that_fails_while_frames_are_read_is_no_damage_of_the_video(
    raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = probe(raw / "b" / "talk.mp4")
    reads = iter(range(1000))
    read = RemoteMedia.read

    def failing(self: RemoteMedia, size: int) -> bytes:
        if next(reads) > 2:
            self._file.close()
        return read(self, size)

    monkeypatch.setattr(RemoteMedia, "read", failing)
    with pytest.raises(MediaError) as caught:
        list(tick_frames(info, 0, info.n_ticks))
    assert caught.value.code == "unreachable"


class _Web(BaseHTTPRequestHandler):
    content = b""
    knows_ranges = True

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        wanted, content = self.headers.get("Range"), self.content
        if wanted and self.knows_ranges:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            begin, end = int(first), min(int(last or len(content)), len(content) - 1)
            content = content[begin : end + 1]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {begin}-{end}/{len(self.content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", '"1"')
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(params=[True, False], ids=["with ranges", "whole files only"])
def web(request: pytest.FixtureRequest, talk: Path) -> Iterator[tuple[str, bool]]:
    handler = type("Handler", (_Web,), {"content": talk.read_bytes(), "knows_ranges": request.param})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/raw/talk.mp4", request.param
    server.shutdown()


def test_a_video_on_a_web_server_is_copied(web: tuple[str, bool], talk: Path, tmp_path: Path) -> None:
    video = _one(web[0])
    assert video.video_id == fingerprint(talk)
    with readable(video, _scratch(tmp_path)) as path:
        assert path.read_bytes() == talk.read_bytes()


def test_a_web_server_is_read_by_ranges_or_the_missing_room_is_named(web: tuple[str, bool], tmp_path: Path) -> None:
    address, knows_ranges = web
    video = _one(address)
    if knows_ranges:
        with readable(video, _scratch(tmp_path, NO_ROOM)) as path:
            assert probe(path).n_ticks == 50
        return
    with pytest.raises(MediaError, match="--scratch-gib") as caught, readable(video, _scratch(tmp_path, NO_ROOM)):
        pass
    assert caught.value.code == "no_scratch"


def test_a_scratch_folder_that_cannot_be_written_is_told_before_the_work(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "scratch").write_text("a file")
    videos = discover(str(raw)).videos
    with pytest.raises(StorageError, match=rf"--scratch {tmp_path}/scratch cannot be written: File exists"):
        require_scratch(videos, _scratch(tmp_path))


def test_a_local_video_is_read_where_it_lies(talk: Path, tmp_path: Path) -> None:
    with readable(_one(str(talk)), _scratch(tmp_path)) as path:
        assert path == location(str(talk))
    assert not (tmp_path / "scratch").exists()


def test_a_part_is_read_by_ranges_even_where_a_copy_has_room(web: tuple[str, bool], tmp_path: Path) -> None:
    address, knows_ranges = web
    video = _one(address)
    with readable(video, _scratch(tmp_path), whole=False) as path:
        assert (path == video.path) is knows_ranges


def test_copies_of_remote_videos_are_the_users_alone(raw: Path, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with readable(_one(f"{raw}/b/talk.mp4"), _scratch(tmp_path)) as path:
            rights = [oct(one.stat().st_mode & 0o777) for one in (path, path.parent, path.parent / ".lock")]
    finally:
        os.umask(before)
    assert rights == ["0o600", "0o700", "0o600"]


def test_a_scratch_folder_that_another_has_planted_is_refused_before_the_work(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "scratch").symlink_to("elsewhere")
    with pytest.raises(StorageError, match=rf"--scratch {tmp_path}/scratch is a link"):
        require_scratch(discover(str(raw)).videos, _scratch(tmp_path))
    with pytest.raises(MediaError) as caught, readable(_one(f"{raw}/b/talk.mp4"), _scratch(tmp_path)):
        pytest.fail("it was copied")
    assert caught.value.code == "no_scratch"
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_link_planted_in_place_of_a_copy_is_not_written_through(raw: Path, tmp_path: Path) -> None:
    video = _one(f"{raw}/b/talk.mp4")
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch" / f"{os.getpid()}-{video.video_id}.mp4").symlink_to(victim)
    with readable(video, _scratch(tmp_path)) as path:
        assert not path.is_symlink()
    assert victim.read_bytes() == b"precious"


@pytest.mark.parametrize("pattern", ["", "/*/*.mp4", "/**/*.mp4"])
def test_a_store_that_breaks_while_it_is_listed_ends_the_run_and_no_part_is_taken_for_all(
    raw: Path, pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from s3fs import S3FileSystem

    iterate = S3FileSystem._iterdir

    async def breaking(self: S3FileSystem, bucket: str, **options: object) -> object:
        async for found in iterate(self, bucket, **options):
            yield found
        if "b" in str(options.get("prefix")).split("/") or not options.get("delimiter"):
            raise PermissionError("the store broke")

    monkeypatch.setattr(S3FileSystem, "_iterdir", breaking)
    with pytest.raises(StorageError, match=r"cannot be listed: .*the store broke.*give the command again"):
        discover(f"{raw}{pattern}")


def test_a_video_that_its_store_does_not_deliver_for_its_id_is_unreachable_and_retry_takes_it_later(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver = curation.sources.content.read_ranges

    def refuse(path: Path, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        if path.name == "other.MKV":
            raise PermissionError("the store broke")
        return deliver(path, ranges)

    settings = load_settings(CurationSettings(), None, ["speech.encoder=none", "speech.denoiser=none"])
    dataset = tmp_path / "dataset"
    with monkeypatch.context() as broken:
        broken.setattr(curation.sources.content, "read_ranges", refuse)
        report = run(str(raw), dataset, settings)
    rows = {Path(record.path).name: (record.error_code, record.error_detail) for record in report.records}
    assert rows["other.MKV"] == ("unreachable", "the store broke")
    again = retry(dataset, codes=["unreachable"], videos=["other.MKV"])
    assert [(record.status, record.path) for record in again.records] == [("ok", f"{raw}/b/other.MKV")]
    assert {row["status"] for row in read_table(dataset, "videos").to_pylist()} == {"ok"}
    assert validate(dataset) == []
    assert run(str(raw), dataset, settings).curated == ()
