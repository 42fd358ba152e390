"""CSV lists: several rows of a video are stretches of it, and what contradicts itself is told with its line."""

from pathlib import Path

import pytest

from curation.sources.entries import Entry, SourceError
from curation.sources.lists import read_list
from curation.sources.trims import Trim

HEADER = "path,source,speaker_id,start_s,end_s\n"


def put_list(folder: Path, text: str) -> Path:
    (folder / "talks.csv").write_text(text, encoding="utf-8")
    return folder / "talks.csv"


def test_rows_of_one_video_are_its_stretches_in_order(tmp_path: Path) -> None:
    path = put_list(tmp_path, f"{HEADER}a.mp4,own,anna,60,70.5\nb.mp4,own,bert,,\na.mp4,own,anna,,12.5\n")
    assert read_list(path).entries == [
        Entry(
            path=tmp_path / "a.mp4",
            source="own",
            speaker_id="anna",
            trims=(Trim(start=0.0, end=12.5), Trim(start=60.0, end=70.5)),
        ),
        Entry(path=tmp_path / "b.mp4", source="own", speaker_id="bert"),
    ]


def test_a_start_alone_goes_to_the_end_of_the_video(tmp_path: Path) -> None:
    (entry,) = read_list(put_list(tmp_path, "path,start_s\na.mp4,7\n")).entries
    assert entry.trims == (Trim(start=7.0, end=None),)


def test_a_row_that_is_there_twice_without_a_stretch_is_one_video(tmp_path: Path) -> None:
    (entry,) = read_list(put_list(tmp_path, "path\na.mp4\na.mp4\n")).entries
    assert entry.trims == ()


def test_a_byte_order_mark_of_a_spreadsheet_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    (entry,) = read_list(put_list(tmp_path, "\ufeffpath\na.mp4\n")).entries
    assert entry.path == tmp_path / "a.mp4"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("a.mp4,,,x,9", r"talks\.csv:2: start_s is 'x'; write seconds"),
        ("a.mp4,,,1:30,90", r"talks\.csv:2: start_s is '1:30'; write seconds"),
        ("a.mp4,,,-1,9", r"talks\.csv:2: start_s is '-1'"),
        ("a.mp4,,,0,nan", r"talks\.csv:2: end_s is 'nan'"),
        ("a.mp4,,,0,inf", r"talks\.csv:2: end_s is 'inf'"),
        ("a.mp4,,,9,9", r"talks\.csv:2: start_s 9 is not before end_s 9"),
        ("a.mp4,,,9.5,3", r"talks\.csv:2: start_s 9.5 is not before end_s 3"),
        ("a.mp4,,,,0", r"talks\.csv:2: start_s 0 is not before end_s 0"),
        ("a.mp4,,,0,9\na.mp4,,,8,12", r"talks\.csv:3: the stretches 0 to 9 s and 8 to 12 s of .*a\.mp4 overlap"),
        ("a.mp4,,,8,12\na.mp4,,,0,9", r"talks\.csv:3: the stretches 0 to 9 s and 8 to 12 s of .*a\.mp4 overlap"),
        ("a.mp4,,,2,\na.mp4,,,9,12", r"talks\.csv:3: the stretches 2 s to the end and 9 to 12 s"),
        ("a.mp4,,,1,2\na.mp4,,,1,2", r"talks\.csv:3: the stretches 1 to 2 s and 1 to 2 s"),
        ("a.mp4,,,,\na.mp4,,,1,2", r"talks\.csv:3: the stretches 0 s to the end and 1 to 2 s"),
        ("a.mp4,,anna,,\nb.mp4,,,,\na.mp4,,bert,,", r"talks\.csv:4: speaker_id of .* is 'bert', and 'anna' at .*:2"),
        ("a.mp4,,anna,0,1\na.mp4,,,1,2", r"talks\.csv:3: speaker_id of .* is None, and 'anna'"),
        ("a.mp4,one,,0,1\na.mp4,two,,1,2", r"talks\.csv:3: source of .* is 'two', and 'one'"),
        ('"new\nline.mp4",,,,\n,,,,', r"talks\.csv:4: the column 'path' is empty"),
        ("a.mp4,,,0,1,5", r"talks\.csv:2: has more values"),
    ],
)
def test_what_is_wrong_is_told_with_the_line(tmp_path: Path, rows: str, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        read_list(put_list(tmp_path, f"{HEADER}{rows}\n"))
