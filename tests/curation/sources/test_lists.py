"""Lists: several rows of a video are stretches of it, and what contradicts itself is told with its line."""

from dataclasses import replace
from pathlib import Path

import pytest

from curation.sources.discover import discover
from curation.sources.entries import Entry, SourceError
from curation.sources.lists import VideoList, read_list
from curation.sources.trims import Trim
from curation.sources.video_labels import NO_LABELS, VideoLabels

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


def test_two_spellings_of_one_file_are_one_video(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    (tmp_path / "link.mp4").symlink_to("a.mp4")
    rows = f"path,start_s,end_s\na.mp4,0,1\n../{tmp_path.name}/a.mp4,2,3\n{tmp_path}/a.mp4,4,5\nlink.mp4,6,7\n"
    (entry,) = read_list(put_list(tmp_path, rows)).entries
    assert [(trim.start, trim.end) for trim in entry.trims] == [(0, 1), (2, 3), (4, 5), (6, 7)]


ANNA = Entry(path=Path("a.mp4"), source="talks", speaker_id="anna", trims=(Trim(start=1.5, end=12.0),))

BERT = Entry(path=Path("b, c.mp4"), source="own", speaker_id="bert")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("talks.csv", 'path,speaker_id,start_s,end_s,source\na.mp4,anna,1.5,12,\n"b, c.mp4",bert,,,own\n'),
        ("talks.csv", "path;speaker_id;start_s;end_s;source\na.mp4;anna;1,5;12;\nb, c.mp4;bert;;;own\n"),
        ("talks.csv", "\ufeffpath;speaker_id;start_s;end_s;source\r\na.mp4;anna;1.5;12;\r\nb, c.mp4;bert;;;own\r\n"),
        ("talks.csv", "path\tspeaker_id\tstart_s\tend_s\tsource\na.mp4\tanna\t1.5\t12\nb, c.mp4\tbert\t\t\town\n"),
        ("talks.tsv", "path\tspeaker_id\tstart_s\tend_s\tsource\na.mp4\tanna\t1,5\t12\nb, c.mp4\tbert\t\t\town\n"),
        ("talks.TSV", "Path\tSpeaker ID\tStart-s\tend_s \tsource\na.mp4\tanna \t1.5\t12\nb, c.mp4\tbert\t\t\town\n"),
        (
            "talks.json",
            (
                '[{"path": "a.mp4", "speaker_id": "anna", "start_s": 1.5, "end_s": 12, "source": null},'
                ' {"path": "b, c.mp4", "speaker_id": "bert", "source": "own"}]'
            ),
        ),
        (
            "talks.jsonl",
            (
                '{"path": "a.mp4", "speaker_id": "anna", "start_s": 1.5, "end_s": 12}\n\n'
                '{"path": "b, c.mp4", "speaker_id": "bert", "source": "own"}\n'
            ),
        ),
    ],
)
def test_tables_of_any_delimiter_and_json_give_the_same_videos(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    anna, bert = (replace(entry, path=tmp_path / entry.path) for entry in (ANNA, BERT))
    assert read_list(tmp_path / name) == VideoList([anna, bert])
    assert [video.speaker_id for video in discover(str(tmp_path / name)).videos] == ["anna", "bert"]


def test_a_spreadsheets_text_of_two_bytes_a_letter_is_read(tmp_path: Path) -> None:
    (tmp_path / "talks.tsv").write_text("path\tspeaker_id\näöü.mp4\tanna\n", encoding="utf-16")
    assert [entry.path.name for entry in read_list(tmp_path / "talks.tsv").entries] == ["äöü.mp4"]


def test_a_json_list_of_paths_alone_is_read(tmp_path: Path) -> None:
    (tmp_path / "talks.json").write_text('["a.mp4", "s3://bucket/b.mp4"]')
    assert [str(entry.path) for entry in read_list(tmp_path / "talks.json").entries] == [
        str(tmp_path / "a.mp4"),
        "s3://bucket/b.mp4",
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("talks.csv", "path;shoe size;speaker_id;first name\na.mp4;31;anna;Anna\n"),
        ("talks.jsonl", '{"path": "a.mp4", "shoe size": 31, "speaker_id": "anna", "first name": {"of": "Anna"}}\n'),
    ],
)
def test_columns_of_its_own_are_not_read_and_told(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    found = read_list(tmp_path / name)
    assert [(entry.path.name, entry.speaker_id) for entry in found.entries] == [("a.mp4", "anna")]
    assert found.notes == (
        (
            f"{tmp_path / name}: 2 columns of its own are not read: shoe size, first name. "
            "Read are path, source, speaker_id, start_s, end_s, licence, consent, language, age, gender, skin_type."
        ),
    )
    assert discover(str(tmp_path / name)).notes == found.notes


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("talks.csv", "path;speaker\na.mp4;anna\n", r"talks\.csv:1: the column 'speaker' may be meant as 'speaker_id'"),
        ("talks.csv", "path,sorce\na.mp4,own\n", r"talks\.csv:1: the column 'sorce' may be meant as 'source'"),
        ("talks.csv", "path,start,end\na.mp4,1,2\n", r"talks\.csv:1: the column 'start' may be meant as 'start_s'"),
        ("talks.csv", "path,Path\na.mp4,b.mp4\n", r"talks\.csv:1: the column 'path' is there twice"),
        ("talks.csv", "file;speaker_id\na.mp4;anna\n", r"talks\.csv:1: .*\['file', 'speaker_id'\].*; rename 'file'"),
        ("talks.csv", "path;start_s\na.mp4;1;5\n", r"talks\.csv:2: has more values .*; quote a value with a semicolon"),
        ("talks.csv", "", r"talks\.csv:1: the first line names columns \[\]"),
        ("talks.csv", "path\n", r"talks\.csv: lists no video"),
        ("talks.csv", b"path\na.mp4\ncaf\xe9.mp4\n", r"talks\.csv:3: is not UTF-8 text; save the list as UTF-8"),
        ("talks.json", '{"videos": []}', r"talks\.json: is no list of videos"),
        ("talks.json", '[{"path": "a.mp4"},\n {"path": }]', r"talks\.json:2: is not JSON: .* \(column 11\)"),
        ("talks.json", '[{"file": "a.mp4"}]', r"talks\.json: entry 1: the column 'file' may be meant as 'path'"),
        ("talks.json", '[{"name": "a.mp4"}]', r"talks\.json: entry 1: has no 'path'; it has 'name'"),
        ("talks.json", '["a.mp4", 5]', r"talks\.json: entry 2: is 5; give an object with 'path'"),
        ("talks.jsonl", '{"path": ["a.mp4"]}\n', r"talks\.jsonl:1: path is \['a\.mp4'\]; give a text or a number"),
        ("talks.jsonl", '{"path": "a.mp4", "end_s": NaN}\n', r"talks\.jsonl:1: end_s is 'nan'"),
        ("talks.jsonl", '"a.mp4"\nb.mp4\n', r"talks\.jsonl:2: is not JSON"),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused_once_and_with_its_place(
    tmp_path: Path, name: str, text: str | bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SourceError, match=said):
        discover(str(tmp_path / name))


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


LABELS = VideoLabels(
    licence="CC BY 4.0", consent="yes", language="pt-BR", age="31", gender="Female", skin_type="Fitzpatrick 3"
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "talks.csv",
            (
                "path,License,Consent,language,age,gender,Skin-type\n"
                "a.mp4,CC BY 4.0, yes ,pt-BR,31,Female,Fitzpatrick 3\nb.mp4,,,,,,\n"
            ),
        ),
        (
            "talks.jsonl",
            (
                '{"path": "a.mp4", "licence": "CC BY 4.0", "consent": true, "language": "pt-BR", "age": 31, '
                '"gender": "Female", "skin type": "Fitzpatrick 3"}\n"b.mp4"\n'
            ),
        ),
    ],
)
def test_licence_consent_and_groups_are_read_as_labels(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    found = read_list(tmp_path / name)
    assert [entry.labels for entry in found.entries] == [LABELS, NO_LABELS]
    assert found.notes == ()
    assert [video.labels for video in discover(str(tmp_path / name)).videos] == [LABELS, NO_LABELS]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (f"a.mp4,{'x' * 201}", r"talks\.csv:2: gender: 'x+\.\.\. .* cannot be a label, which has 1 to 200 characters"),
        ("a.mp4,Fe\x1b[31mmale", r"talks\.csv:2: gender: 'Fe\\x1b\[31mmale' cannot be a label"),
        ("a.mp4,\u202eelamef", r"talks\.csv:2: gender: '\\u202eelamef' cannot be a label"),
        ("a.mp4,Female\na.mp4,Male", r"talks\.csv:3: gender of .* is 'Male', and 'Female' at .*:2"),
    ],
)
def test_a_label_that_cannot_be_one_is_told_with_the_line(tmp_path: Path, rows: str, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        read_list(put_list(tmp_path, f"path,gender\n{rows}\n"))
