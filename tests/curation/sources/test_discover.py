import os
import shutil
from pathlib import Path

import pytest

from curation.sources.content import fingerprint
from curation.sources.discover import discover
from curation.sources.entries import SourceError

MIB = 1 << 20


def put(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_folder_is_walked_and_its_first_subfolder_names_the_source(tmp_path: Path) -> None:
    root = tmp_path / "raw"
    put(root / "a.mp4", b"1")
    put(root / "hdtf" / "deep" / "b.MKV", b"2")
    put(root / "notes.txt", b"3")
    found = discover(str(root))
    assert [(v.path.name, v.source) for v in found.videos] == [("a.mp4", "raw"), ("b.MKV", "hdtf")]
    assert found.ignored_files == 1


def test_a_renamed_file_keeps_its_id_and_a_replaced_one_does_not(tmp_path: Path) -> None:
    first = put(tmp_path / "a.mp4", b"content")
    before = fingerprint(first)
    moved = first.rename(tmp_path / "b.mp4")
    assert fingerprint(moved) == before
    moved.write_bytes(b"other")
    assert fingerprint(moved) != before
    assert len(before) == 16
    int(before, 16)


@pytest.mark.parametrize("changed", [0, MIB - 1, 3 * MIB - 1, 2 * MIB])
def test_a_change_in_the_first_or_last_mebibyte_changes_the_id(tmp_path: Path, changed: int) -> None:
    content = bytearray(3 * MIB)
    before = fingerprint(put(tmp_path / "a.mp4", bytes(content)))
    content[changed] = 1
    assert fingerprint(put(tmp_path / "b.mp4", bytes(content))) != before


def test_a_longer_file_with_equal_ends_has_another_id(tmp_path: Path) -> None:
    assert fingerprint(put(tmp_path / "a", bytes(3 * MIB))) != fingerprint(put(tmp_path / "b", bytes(4 * MIB)))


def test_the_second_file_with_the_same_content_names_the_first(tmp_path: Path) -> None:
    put(tmp_path / "b.mp4", b"same")
    put(tmp_path / "a.mp4", b"same")
    put(tmp_path / "c.mp4", b"other")
    found = {v.path.name: v for v in discover(str(tmp_path)).videos}
    assert found["a.mp4"].duplicate_of is None
    assert found["b.mp4"].duplicate_of == tmp_path / "a.mp4"
    assert found["c.mp4"].duplicate_of is None


def test_files_of_one_name_in_two_folders_are_two_videos(tmp_path: Path) -> None:
    put(tmp_path / "x" / "a.mp4", b"1")
    put(tmp_path / "y" / "a.mp4", b"2")
    assert len({v.video_id for v in discover(str(tmp_path)).videos}) == 2


def test_hidden_files_and_folders_of_systems_are_left_alone_and_told(tmp_path: Path) -> None:
    put(tmp_path / "talk.mp4", b"1")
    hidden = [
        *("._talk.mp4", ".DS_Store", ".Trashes", ".Spotlight-V100", "@eaDir", "#recycle", "$RECYCLE.BIN"),
        *("System Volume Information", "lost+found"),
    ]
    for name in hidden:
        put(tmp_path / name if name.startswith("._") or name == ".DS_Store" else tmp_path / name / "gone.mp4", b"2")
    put(tmp_path / "day 1" / "@eaDir" / "a.mp4" / "SYNOVIDEO_FILM.mp4", b"3")
    found = discover(str(tmp_path))
    assert [video.path.name for video in found.videos] == ["talk.mp4"]
    assert sorted(found.left_alone) == sorted([*hidden, "day 1/@eaDir"])
    assert found.ignored_files == 0


def test_a_hidden_folder_or_file_that_the_user_names_is_read(tmp_path: Path) -> None:
    put(tmp_path / ".raw" / "a.mp4", b"1")
    put(tmp_path / ".raw" / "._b.mp4", b"2")
    assert [v.path.name for v in discover(str(tmp_path / ".raw")).videos] == ["a.mp4"]
    assert [v.path.name for v in discover(str(tmp_path / ".raw" / "*.mp4")).videos] == ["a.mp4"]
    assert [v.path.name for v in discover(str(tmp_path / ".r*" / "*.mp4")).videos] == ["a.mp4"]
    assert [v.path.name for v in discover(str(tmp_path / ".raw" / "._b.mp4")).videos] == ["._b.mp4"]
    assert [v.path.name for v in discover(str(tmp_path / ".raw" / "._*.mp4")).videos] == ["._b.mp4"]


def test_a_folder_with_hidden_videos_alone_says_so(tmp_path: Path) -> None:
    put(tmp_path / ".Trashes" / "a.mp4")
    with pytest.raises(
        SourceError, match=r"holds no video.* 1 hidden file or folder was left alone, such as \.Trashes"
    ):
        discover(str(tmp_path))


def test_a_pattern_leaves_thumbnails_texts_and_folders_and_says_so(tmp_path: Path) -> None:
    put(tmp_path / "a.mp4", b"1")
    put(tmp_path / "notes.txt")
    put(tmp_path / "@eaDir" / "a.mp4", b"2")
    put(tmp_path / "day 1" / "b.mp4", b"3")
    found = discover(str(tmp_path / "*"))
    assert [v.path.name for v in found.videos] == ["a.mp4"]
    assert (found.ignored_files, found.left_alone) == (1, (str(tmp_path / "@eaDir"),))
    assert found.notes == (
        (
            f"1 folder that the pattern matches, such as {tmp_path / 'day 1'}, was not looked into; `**/` in a pattern "
            "means a folder and all below it."
        ),
    )
    deep = discover(str(tmp_path / "**" / "*.mp4"))
    assert [v.path.name for v in deep.videos] == ["a.mp4", "b.mp4"]


@pytest.mark.parametrize("name", ["list.txt", "list.xlsx", "list.parquet", "talk.m3u8", "talks.zip", "talk.srt"])
def test_a_file_that_is_called_neither_like_a_video_nor_like_a_list_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match=rf"{name}' is called neither .* lists? .*\*\.csv, \*\.tsv, \*\.json"):
        discover(str(put(tmp_path / name)))


def test_a_pattern_of_lists_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "a.json", b"[]")
    with pytest.raises(SourceError, match="nor like one list"):
        discover(str(tmp_path / "*.json"))


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    put(tmp_path / "in" / "a.mp4")
    (tmp_path / "in" / "loop").symlink_to(tmp_path, target_is_directory=True)
    assert [v.path.name for v in discover(str(tmp_path)).videos] == ["a.mp4"]


def test_a_dead_link_is_a_video_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    (video,) = discover(str(tmp_path)).videos
    assert video.read_error is not None
    assert "No such file" in video.read_error


@pytest.mark.parametrize("name", ["with space.mp4", "quote'\".mp4", "new\nline.mp4", "日本語.mp4", "[glob]*.mp4"])
def test_odd_names_are_found(tmp_path: Path, name: str) -> None:
    put(tmp_path / name)
    assert [v.path.name for v in discover(str(tmp_path)).videos] == [name]
    assert [v.path.name for v in discover(str(tmp_path / name)).videos] == [name]


def test_a_name_that_is_not_unicode_is_found(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.mp4")
    put(tmp_path / name)
    assert [v.path.name for v in discover(str(tmp_path)).videos] == [name]


def test_a_glob_finds_its_matches(tmp_path: Path) -> None:
    put(tmp_path / "x" / "a.mp4", b"1")
    put(tmp_path / "y" / "b.mp4", b"2")
    found = discover(str(tmp_path / "**" / "*.mp4")).videos
    assert [(v.path.name, v.source) for v in found] == [("a.mp4", "x"), ("b.mp4", "y")]


def test_a_list_names_path_source_and_speaker(tmp_path: Path) -> None:
    put(tmp_path / "videos" / "a.mp4", b"1")
    put(tmp_path / "videos" / "b.mp4", b"2")
    listing = tmp_path / "list.csv"
    listing.write_text("path,source,speaker_id\nvideos/a.mp4,hdtf,s1\nvideos/b.mp4,,\n")
    found = discover(str(listing)).videos
    assert [(v.path.name, v.source, v.speaker_id) for v in found] == [("a.mp4", "hdtf", "s1"), ("b.mp4", "list", None)]


@pytest.mark.parametrize(
    ("text", "said"),
    [("file,source\nx,y\n", "must be 'path'; rename 'file'"), ('path\n""\n', r"list\.csv:2")],
)
def test_a_wrong_list_is_refused_with_the_place(tmp_path: Path, text: str, said: str) -> None:
    listing = tmp_path / "list.csv"
    listing.write_text(text)
    with pytest.raises(SourceError, match=said):
        discover(str(listing))


def test_a_listed_file_that_is_missing_is_a_row_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path\ngone.mp4\n")
    (video,) = discover(str(tmp_path / "list.csv")).videos
    assert video.read_error is not None


def test_nothing_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="matches no file"):
        discover(str(tmp_path / "nothing"))
    put(tmp_path / "a.txt")
    with pytest.raises(SourceError, match="holds no video"):
        discover(str(tmp_path))


def test_an_unknown_layout_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "a.mp4")
    with pytest.raises(SourceError, match=r"layout 'voxceleb' is unknown; known are auto, .*voxceleb2"):
        discover(str(tmp_path), "voxceleb")  # type: ignore[arg-type]


def test_a_folder_that_cannot_be_listed_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "open" / "a.mp4")
    put(tmp_path / "closed" / "b.mp4")
    real = os.scandir

    def refuse(path: str) -> object:  # a superuser may list every folder, so the system's answer is made here
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = discover(str(tmp_path))
    assert [v.path.name for v in found.videos] == ["a.mp4"]
    assert len(found.unreadable_folders) == 1
    assert "closed: Permission denied" in found.unreadable_folders[0]


def test_the_order_is_that_of_the_paths_whatever_the_disk_says(tmp_path: Path) -> None:
    for name in ("c.mp4", "a.mp4", "b.mp4"):
        put(tmp_path / name, name.encode())
    shutil.copy(tmp_path / "a.mp4", tmp_path / "d.mp4")
    assert [v.path.name for v in discover(str(tmp_path)).videos] == ["a.mp4", "b.mp4", "c.mp4", "d.mp4"]
