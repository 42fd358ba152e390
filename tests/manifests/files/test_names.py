"""Names, ids and numbers of a dataset: what the software writes is accepted, and nothing that leads elsewhere."""

import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from foundation.storage.locations import location
from manifests.errors import DatasetError
from manifests.files import names
from manifests.files.numbers import Count, FiniteNumber, Seconds, whole_number
from manifests.schema.tables import TABLES

SOUND = {
    names.video_id: ["0123456789abcdef", "0123456789abcdef-0000025-0000099"],
    names.clip_id: ["0123456789abcdef-0000000-0000099", "0123456789abcdef-0000025-0000099-0000000-0000009"],
    names.table_file_name: [
        "videos/videos.parquet",
        "clips/0123456789abcdef.parquet",
        "frames/part-all-0123456789ab.parquet",
        "clips/part-mute-0110-0123456789ab.parquet",
    ],
    names.media_name: ["media/0123456789abcdef.tar", "windows/0123456789abcdef-0000000-0004500.tar"],
    names.dataset_file_name: ["ledger/0123456789abcdef.json", "ledger/events.jsonl", "windows/0-0-0.npz"],
    names.sha256: ["0" * 64],
    names.digest: ["0123456789abcdef0123456789abcdef"],
    names.path_text: ["/videos/a b%25.mp4", "s3://bucket/caf%E9.mp4"],
    names.file_name: ["a b.mp4", "Übung.parquet"],
}

HOSTILE = [
    "",
    ".",
    "..",
    "../x.parquet",
    "clips/../../x.parquet",
    "clips/..",
    "clips//x.parquet",
    "/clips/x.parquet",
    "/etc/passwd",
    "~/x.parquet",
    "clips\\x.parquet",
    "clips/a\\..\\x.parquet",
    "clips/a/b.parquet",
    "clips/x\0.parquet",
    "clips/x\n.parquet",
    "clips/x\x1b[2J.parquet",
    "clips/x\u202e.parquet",
    "clips/\udcff.parquet",
    "clips/.hidden.parquet",
    "clips/%2e%2e%2fx.parquet",
    "clips/" + "x" * 300 + ".parquet",
    "s3://bucket/x.parquet",
    "other/x.parquet",
    "clips/x.txt",
    "media/../../x.tar",
    "0123456789abcdef/../../x",
    "0123456789abcdef\n",
    "0123456789ABCDEF",
    "part-0",
    "0123456789abcdef-1-2",
    "\uff10123456789abcdef",
]


def test_the_folders_of_tables_are_all_tables() -> None:
    assert {folder for folder, suffixes in names.FOLDERS.items() if suffixes == (".parquet",)} == set(TABLES)


@pytest.mark.parametrize(("check", "text"), [(check, text) for check, texts in SOUND.items() for text in texts])
def test_what_the_software_writes_is_accepted(check: Callable[[str], str], text: str) -> None:
    assert check(text) == text


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(
    "check", [names.video_id, names.clip_id, names.table_file_name, names.media_name, names.dataset_file_name]
)
def test_what_leads_elsewhere_is_refused(check: Callable[[str], str], text: str) -> None:
    with pytest.raises(DatasetError, match="cannot be"):
        check(text)


def _is_inside(text: str) -> bool:
    parts = PurePosixPath(text).parts
    return len(parts) == 2 and ".." not in parts and f"{parts[0]}/{parts[1]}" == text and "\0" not in text


@given(st.one_of(st.text(), st.from_regex(r"(clips|media|\.\.|)[/\\](.|\.\.|%)*(\.parquet|\.tar)\n?")))
@settings(max_examples=300, deadline=None)
@example("clips/\u2028.parquet")
def test_every_accepted_name_is_one_file_in_a_folder_of_the_dataset(text: str) -> None:
    for check in (names.table_file_name, names.media_name, names.dataset_file_name):
        try:
            name = check(text)
        except DatasetError:
            continue
        assert name == text
        assert _is_inside(name)
        assert name.isprintable()
        assert os.path.normpath(f"/dataset/{name}") == f"/dataset/{name}"


@given(st.one_of(st.text(), st.from_regex(r"[0-9a-f]{16}(-[0-9]{7}){0,5}(.|\n)?", fullmatch=True)))
@settings(max_examples=300, deadline=None)
def test_every_accepted_id_is_a_file_name_without_dots(text: str) -> None:
    for check in (names.video_id, names.clip_id):
        try:
            accepted = check(text)
        except DatasetError:
            continue
        assert names.file_name(accepted) == accepted
        assert set(accepted) <= set("0123456789abcdefghijklmnopqrstuvwxyz-")


@given(st.integers() | st.floats() | st.booleans() | st.none() | st.text())
def test_a_whole_number_is_one_of_int64_and_not_negative(value: object) -> None:
    sound = type(value) is int and 0 <= value < 2**63
    if sound:
        assert whole_number(value, "offset") == value
    else:
        with pytest.raises(DatasetError, match="offset is"):
            whole_number(value, "offset")


class _Stated(BaseModel):
    name: names.TableFileName = "clips/a.parquet"
    media: names.MediaName = "media/a.tar"
    video: names.VideoId = "0"
    clip: names.ClipId = "0-0000000-0000000"
    count: Count = 0
    number: FiniteNumber = 0.0
    long_s: Seconds = 0.0
    digest: names.Sha256 = "0" * 64
    path: names.PathText = "/a"


@pytest.mark.parametrize(
    "stated",
    [
        '{"name": "clips/../a.parquet"}',
        '{"media": "media/a.parquet"}',
        '{"video": "../a"}',
        '{"clip": "0"}',
        '{"count": -1}',
        '{"count": 9223372036854775808}',
        '{"number": NaN}',
        '{"long_s": -0.5}',
        '{"long_s": Infinity}',
        '{"digest": "0"}',
        '{"path": "a\\u0000b"}',
        '{"path": "a%00b"}',
    ],
)
def test_a_model_cannot_hold_a_bad_value(stated: str) -> None:
    with pytest.raises(ValidationError):
        _Stated.model_validate_json(stated)


def test_a_file_in_a_folder_is_found_through_a_link_to_the_folder_itself(tmp_path: Path) -> None:
    (tmp_path / "real" / "clips").mkdir(parents=True)
    (tmp_path / "real" / "clips" / "a.parquet").touch()
    (tmp_path / "link").symlink_to("real")
    assert names.file_in(tmp_path / "link", "clips/a.parquet") == tmp_path / "link" / "clips" / "a.parquet"
    assert names.file_in(tmp_path / "link", "clips/.a.parquet.new") == tmp_path / "link" / "clips" / ".a.parquet.new"
    assert names.file_in(tmp_path / "real", "gone/b.parquet") == tmp_path / "real" / "gone" / "b.parquet"
    assert names.files_of(tmp_path / "link", "clips", ".parquet") == [tmp_path / "link" / "clips" / "a.parquet"]


@pytest.mark.parametrize("target", ["outside", "."])
def test_a_link_below_the_folder_is_not_followed_wherever_it_leads(tmp_path: Path, target: str) -> None:
    dataset = tmp_path / "dataset"
    (dataset / "latents").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (dataset / "clips").symlink_to(tmp_path / target if target != "." else dataset, target_is_directory=True)
    (dataset / "latents" / "0").symlink_to(tmp_path / "outside", target_is_directory=True)
    for name in ("clips/a.parquet", "latents/0/a.parquet"):
        with pytest.raises(DatasetError, match=f"{name.rpartition('/')[0]} is a link, not a folder of its own"):
            names.file_in(dataset, name)
    with pytest.raises(DatasetError, match="clips is a link"):
        names.files_of(dataset, "clips", ".parquet")
    with pytest.raises(DatasetError, match="0 is a link"):
        names.folder_in(dataset, "latents/0")


def test_a_file_that_is_a_link_or_a_pipe_is_refused(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.parquet").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "clips" / "b.parquet")
    for name, kind in (("a", "a link"), ("b", "a named pipe")):
        with pytest.raises(DatasetError, match=f"{name}.parquet is {kind}"):
            names.file_in(tmp_path, f"clips/{name}.parquet")
    with pytest.raises(DatasetError, match=r"(a.parquet is a link|b.parquet is a named pipe), not a regular file"):
        names.files_of(tmp_path, "clips", ".parquet")


@pytest.mark.parametrize("folder", ["/data/set", "memory://data/set"])
@pytest.mark.parametrize("name", ["../a.parquet", "clips/../../a", "/etc/passwd", "clips//a", "s3://other/a", "a\0b"])
def test_a_name_that_leads_out_has_no_path_in_a_local_or_remote_folder(folder: str, name: str) -> None:
    with pytest.raises(DatasetError, match="cannot be the name"):
        names.file_in(location(folder), name)


def test_a_remote_file_has_the_address_below_the_folder() -> None:
    assert str(names.file_in(location("memory://data/set"), "clips/a.parquet")) == "memory://data/set/clips/a.parquet"


def test_a_listed_file_with_an_impossible_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a\nb.parquet").touch()
    with pytest.raises(DatasetError, match=r"a\\nb.parquet.* cannot be the name"):
        names.files_of(tmp_path, "clips", ".parquet")
