"""Instructions of a list become those of clips: by path and time, and nothing else of a dataset changes."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from curation.cli.app import app
from curation.dataset_tools.instructed_clips import InstructionMatches, matched_instructions
from curation.sources.entries import SourceError
from curation.sources.instruction_list import Instruction, read_instructions
from foundation.errors import EXIT_USAGE
from manifests.files.tables import read_table
from manifests.reports.validate import validate

CLIPS = [
    {"clip_id": "a-1", "path": "/videos/one/a.mp4", "start_s": 0.0, "end_s": 10.0},
    {"clip_id": "a-2", "path": "/videos/one/a.mp4", "start_s": 10.0, "end_s": 14.0},
    {"clip_id": "b-1", "path": "/videos/two/b.mp4", "start_s": 0.0, "end_s": 4.0},
]


def row(path: str, start_s: float, end_s: float, text: str, line: int = 2) -> Instruction:
    return Instruction(
        place=f"asked.csv:{line}", path=path, file=Path("/lists") / path, start_s=start_s, end_s=end_s, text=text
    )


def matches(*rows: Instruction, least_share: float = 0.5) -> InstructionMatches:
    return matched_instructions(CLIPS, ["/videos/one/a.mp4", "/videos/two/b.mp4", "/videos/c.mp4"], rows, least_share)


@pytest.mark.parametrize(
    ("start_s", "end_s", "least_share", "clips"),
    [
        (5.0, 12.0, 0.5, {"a-1", "a-2"}),  # half of each
        (5.1, 12.0, 0.5, {"a-2"}),
        (5.0, 11.9, 0.5, {"a-1"}),
        (0.0, 14.0, 1.0, {"a-1", "a-2"}),
        (0.04, 14.0, 1.0, {"a-2"}),
        (20.0, 30.0, 0.5, set()),
        (10.0, float("inf"), 1.0, {"a-2"}),
    ],
)
def test_a_clip_has_the_instruction_that_covers_enough_of_it(
    start_s: float, end_s: float, least_share: float, clips: set[str]
) -> None:
    found = matches(row("a.mp4", start_s, end_s, "smile"), least_share=least_share)
    assert found.texts == dict.fromkeys(clips, "smile")
    assert len(found.without_clip) == (not clips)


def test_of_two_instructions_the_one_that_covers_more_holds_and_the_other_is_told() -> None:
    smile, nod = row("a.mp4", 0.0, 6.0, "smile"), row("a.mp4", 1.0, 10.0, "nod", line=3)
    found = matches(smile, nod)
    assert found.texts == {"a-1": "nod"}
    assert found.without_clip == (smile,)
    assert matches(smile, row("a.mp4", 4.0, 10.0, "nod")).texts == {"a-1": "smile"}  # as much: the first row


@pytest.mark.parametrize("path", ["/videos/two/b.mp4", "two/b.mp4", "b.mp4"])
def test_a_video_is_known_by_the_end_of_its_path(path: str) -> None:
    assert matches(row(path, 0.0, 4.0, "smile")).texts == {"b-1": "smile"}


@pytest.mark.parametrize("path", ["one/b.mp4", "B.mp4", "xb.mp4", "b.mp4/"])
def test_another_path_is_no_video_of_the_dataset(path: str) -> None:
    unknown = row(path, 0.0, 4.0, "smile")
    found = matches(unknown)
    assert (found.texts, found.without_video) == (({}, (unknown,)) if path != "b.mp4/" else ({"b-1": "smile"}, ()))


def test_a_video_without_clips_is_no_unknown_one() -> None:
    found = matches(row("c.mp4", 0.0, 4.0, "smile"))
    assert (len(found.without_video), len(found.without_clip)) == (0, 1)


def test_a_path_that_may_be_two_videos_is_refused() -> None:
    clips = [CLIPS[0], CLIPS[0] | {"clip_id": "c-1", "path": "/videos/two/a.mp4"}]
    with pytest.raises(
        SourceError, match=r"asked\.csv:2: 'a\.mp4' may be '/videos/one/a\.mp4' or '/videos/two/a\.mp4'"
    ):
        matched_instructions(clips, [], [row("a.mp4", 0.0, 4.0, "smile")], 0.5)


def test_the_report_counts_and_names_what_was_not_used() -> None:
    found = matches(row("a.mp4", 0.0, 14.0, "smile"), row("x.mp4", 1.0, 2.5, "nod", line=3), row("c.mp4", 0, 1, "nod"))
    assert found.text().splitlines() == [
        "1 of 3 rows matched: 2 clips have an instruction, 1 different; 1 clip has none.",
        "1 row with a video that is not in the dataset:",
        "  asked.csv:3: x.mp4, 1 s to 2.5 s",
        "1 row that no clip shows enough of:",
        "  asked.csv:2: c.mp4, 0 s to 1 s",
    ]


def test_a_list_is_read_in_any_form_and_may_have_other_columns(tmp_path: Path) -> None:
    (tmp_path / "asked.csv").write_text("path;Text;start_s;end_s;who\na.mp4;  please   smile ;1,5;4;anna\n")
    (read,) = read_instructions(tmp_path / "asked.csv")
    assert (read.text, read.start_s, read.end_s, read.file) == ("please smile", 1.5, 4.0, tmp_path / "a.mp4")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("path,start_s,end_s,text\n", "lists no instruction"),
        ("path,start_s,end_s\na.mp4,0,1\n", "asked.csv:2: has no text"),
        ("path,start_s,end_s,text\na.mp4,0,1, \n", "asked.csv:2: has no text"),
        ("path,start_s,end_s,text\n,0,1,smile\n", "asked.csv:2: the column 'path' is empty"),
        ("path,start_s,end_s,text\na.mp4,3,1,smile\n", "start_s 3 is not before end_s 1"),
        ("path,start_s,end_s,text\na.mp4,x,1,smile\n", "start_s is 'x'"),
        ("start_s,end_s,text\n0,1,smile\n", "one must be 'path'"),
        ("path,start_s,end_s,text\na.mp4,0,1," + "x" * 501 + "\n", "cannot be an instruction"),
    ],
)
def test_a_row_that_says_too_little_is_refused_by_name(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "asked.csv").write_text(content)
    with pytest.raises(SourceError) as refused:
        read_instructions(tmp_path / "asked.csv")
    assert said in str(refused.value)


def facts(dataset: Path) -> list[dict[str, Any]]:
    return [{**row, "instruction": None} for row in read_table(dataset, "clips").to_pylist()]


def test_the_command_writes_the_column_and_nothing_else(labelled: Path, tmp_path: Path) -> None:
    dataset = Path(shutil.copytree(labelled, tmp_path / "talkers"))
    before, media = facts(dataset), {path: path.read_bytes() for path in (dataset / "media").iterdir()}
    (tmp_path / "asked.csv").write_text("path,start_s,end_s,text\na_talking.mp4,0,,please smile\nb.mp4,0,1,nod\n")
    result = CliRunner().invoke(app, ["instructions", str(dataset), str(tmp_path / "asked.csv")])
    assert result.exit_code == 0, result.output
    assert "1 of 2 rows matched" in result.output
    assert "asked.csv:3: b.mp4, 0 s to 1 s" in result.output
    asked = {
        row["path"]: row["instruction"] for row in read_table(dataset, "clips", ["path", "instruction"]).to_pylist()
    }
    assert {Path(path).name: text for path, text in asked.items()} == {
        "a_talking.mp4": "please smile",
        "b_mute.mp4": None,
    }
    assert facts(dataset) == before
    assert {path: path.read_bytes() for path in (dataset / "media").iterdir()} == media
    assert not validate(dataset)
    (tmp_path / "asked.csv").write_text("path,start_s,end_s,text\nb_mute.mp4,0,,nod\n")
    assert CliRunner().invoke(app, ["instructions", str(dataset), str(tmp_path / "asked.csv")]).exit_code == 0
    texts = read_table(dataset, "clips", ["instruction"])["instruction"].to_pylist()
    assert sorted(texts, key=str) == [None, "nod"]  # in place of the earlier ones


def test_a_share_that_is_none_is_refused(tmp_path: Path) -> None:
    arguments = ["instructions", str(tmp_path), str(tmp_path / "asked.csv"), "--least-share", "0"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == EXIT_USAGE
    assert "--least-share is 0" in result.output
