"""Runs over stretches of videos: nothing outside them is looked at, every second is accounted for."""

import csv
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.made_videos import TalkingFace, counted_picture, counted_video, frame_times, talking_video, write_video
from helpers.noting_executor import NotingExecutor
from typer.testing import CliRunner

import curation.analysis.analyze
import curation.operations.run
from curation.analysis.face_collector import FaceCollector
from curation.cli.app import app
from curation.media.frames import TickFrame, tick_frames
from curation.media.probe import VideoInfo
from curation.media.settings import MediaSettings
from curation.operations.decide import redecide
from curation.operations.plan import plan
from curation.operations.run import RunReport, run
from curation.settings import CurationSettings, load_settings
from foundation.array_types import RgbImage
from manifests.files.tables import read_table
from manifests.reports.explain import explain
from manifests.reports.statistics import statistics
from manifests.reports.validate import validate

QUIET = load_settings(CurationSettings(), None, ["speech.encoder=none", "speech.denoiser=none"])

Row = tuple[str, str | None, float | None, float | None]
"""path, speaker_id, start_s, end_s."""


def put_list(path: Path, *rows: Row) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "speaker_id", "start_s", "end_s"), *rows])
    return path


def go(source: Path, dataset: str = "dataset", settings: CurationSettings = QUIET) -> RunReport:
    return run(str(source), source.parent / dataset, settings, EXECUTOR)


def rows(dataset: Path, table: str, *columns: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read_table(dataset, table, list(columns) or None).to_pylist()
    return found


def told(dataset: Path, tier: str = "diffusion") -> list[tuple[int, int, str]]:
    """First tick, end and outcome of every span of a tier."""
    spans = [row for row in rows(dataset, "spans") if row["tier"] == tier]
    return [(round(row["start_s"] * 25), round(row["end_s"] * 25), row["outcome"]) for row in spans]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Stretches of ticks that were decoded to be measured."""
    stretches: list[tuple[int, int]] = []

    def noting(info: VideoInfo, first: int, end: int, media: MediaSettings) -> Iterator[TickFrame]:
        stretches.append((first, end))
        return tick_frames(info, first, end, media)

    monkeypatch.setattr(curation.analysis.analyze, "tick_frames", noting)
    return stretches


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Ticks whose pictures the models of faces were given."""
    ticks: list[int] = []
    real = FaceCollector.add

    def noting(self: object, tick: int, *arguments: object) -> None:
        ticks.append(tick)
        real(self, tick, *arguments)

    monkeypatch.setattr(FaceCollector, "add", noting)
    return ticks


EXECUTOR = NotingExecutor()


@pytest.fixture
def curated() -> list[str]:
    """Names of the files that were given to a worker."""
    EXECUTOR.names.clear()
    return EXECUTOR.names


@pytest.fixture(scope="module")
def interview(tmp_path_factory: pytest.TempPathFactory, talking_face: TalkingFace) -> Path:
    """9 s, sound up to 8 s: nobody up to 2 s, a good stretch up to 7 s, nobody."""
    nobody: list[RgbImage] = [np.full((320, 320, 3), 90, np.uint8)] * 50
    talking = [talking_face.at(Fraction(k, 25)) for k in range(125)]
    pictures = [*nobody, *talking, *nobody]
    return write_video(
        tmp_path_factory.mktemp("interview") / "a.mp4",
        frame_times(Fraction(25), 225),
        pictures,
        sound=talking_face.sound(0.0, 8.0),
    )


@pytest.fixture(scope="module")
def whole(interview: Path) -> Path:
    """The dataset of all of it."""
    go(interview, "whole")
    return interview.parent / "whole"


@pytest.mark.slow
def test_a_good_stretch_within_is_the_clip_that_it_is_in_the_whole(interview: Path, whole: Path) -> None:
    go(put_list(interview.parent / "within.csv", (interview.name, "anna", 1.08, 8.0)), "within")
    within = interview.parent / "within"
    ours, theirs = rows(within, "clips"), rows(whole, "clips")
    assert [row["n_frames"] > 100 for row in theirs] == [True]
    differing = {name for name in theirs[0] if ours[0][name] != theirs[0][name]}
    voice = {"speech_ratio", "snr_db"}  # the voice detector remembers what it heard, here from the stretch's start on
    assert differing - voice <= {"source", "path", "speaker_id", "split", "media", "mp4_offset", "flac_offset"}
    assert ours[0]["speech_ratio"] == pytest.approx(theirs[0]["speech_ratio"], abs=0.1)
    assert ours[0]["speaker_id"] == "anna"
    assert told(within)[0] == (0, 27, "trimmed")
    assert told(within)[-1] == (200, 225, "trimmed")
    assert validate(within) == []


@pytest.mark.slow
def test_a_clip_does_not_go_beyond_its_stretch(talking_face: TalkingFace, tmp_path: Path, searched: list[int]) -> None:
    talking_video(tmp_path / "a.mp4", talking_face, frame_times(Fraction(25), 200), sound=talking_face.sound())
    go(put_list(tmp_path / "talks.csv", ("a.mp4", "anna", 4.2, None), ("a.mp4", "anna", 0.2, 3.4)))
    dataset = tmp_path / "dataset"
    # 0.2 s is tick 5, 3.4 s is tick 85, 4.2 s is tick 105
    assert told(dataset) == [(0, 5, "trimmed"), (5, 85, "kept"), (85, 105, "trimmed"), (105, 200, "kept")]
    assert told(dataset, "vae") == told(dataset)
    (video,) = rows(dataset, "videos")
    assert [row["clip_id"].removeprefix(f"{video['video_id']}-") for row in rows(dataset, "clips")] == [
        "0000005-0000084",
        "0000105-0000199",
    ]
    assert video["trims"] == [{"start": 0.2, "end": 3.4, "unit": "s"}, {"start": 4.2, "end": None, "unit": "s"}]
    assert (video["duration_s"], video["kept_diffusion_s"]) == (8.0, 7.0)  # 80 and 95 ticks
    assert [row["tick"] for row in rows(dataset, "frames", "tick")] == [*range(5, 85), *range(105, 200)]
    assert searched == [*range(5, 85), *range(105, 200)]
    assert validate(dataset) == []
    trimmed = [row for row in statistics(dataset).drops if row.outcome == "trimmed"]
    assert [(row.tier, round(row.seconds, 6)) for row in trimmed] == [("diffusion", 1.0), ("vae", 1.0)]
    assert [row.biggest_drop for row in statistics(dataset).videos] == [None]
    assert "outside the stretches of the video that were asked for" in explain(dataset, "a.mp4", 3.6).text()

    redecide(dataset, tmp_path / "again", None, [], render=False)
    assert told(tmp_path / "again") == told(dataset)


def faceless(path: Path, number: int, n_frames: int = 50) -> Path:
    return write_video(path, frame_times(Fraction(25), n_frames), [counted_picture(number)] * n_frames)


def test_another_stretch_or_speaker_does_that_video_anew_and_no_other(tmp_path: Path, curated: list[str]) -> None:
    for number, name in enumerate(("a.mp4", "b.mp4", "c.mp4")):
        faceless(tmp_path / name, number)
    listing = tmp_path / "talks.csv"
    go(put_list(listing, ("a.mp4", "anna", 0, 1), ("b.mp4", "bert", None, None), ("c.mp4", "cleo", 0, 1)))
    curated.clear()
    go(listing)
    assert curated == []
    go(put_list(listing, ("a.mp4", "anna", 0, 1.2), ("b.mp4", "berta", None, None), ("c.mp4", "cleo", 0, 1)))
    assert curated == ["a.mp4", "b.mp4"]
    dataset = tmp_path / "dataset"
    assert [row["speaker_id"] for row in rows(dataset, "videos")] == ["anna", "berta", "cleo"]
    a = rows(dataset, "videos")[0]["video_id"]
    asked = [row["end_s"] for row in rows(dataset, "spans") if row["video_id"] == a and row["outcome"] == "no_face"]
    assert asked == [1.2, 1.2]
    assert validate(dataset) == []


def test_a_stretch_outside_the_video_fails_it_and_mending_the_list_does_it(tmp_path: Path, curated: list[str]) -> None:
    faceless(tmp_path / "a.mp4", 1)
    faceless(tmp_path / "b.mp4", 2)
    listing = put_list(tmp_path / "talks.csv", ("a.mp4", None, 1, 9), ("b.mp4", None, 1, 2.5))
    first = go(listing)
    (failed,) = first.failed
    assert (failed.path, failed.error_code) == (str(tmp_path / "a.mp4"), "trim_outside")
    assert "the stretch 1 to 9 s is asked for, and the video ends at 2 s" in str(failed.error_detail)
    curated.clear()
    assert go(put_list(listing, ("a.mp4", None, 1, 2), ("b.mp4", None, 1, 2.5))).failed == ()
    assert curated == ["a.mp4"]


def test_long_stretches_are_measured_in_windows_and_give_what_one_piece_gives(
    tmp_path: Path, decoded: list[tuple[int, int]]
) -> None:
    counted_video(tmp_path / "a.mp4", frame_times(Fraction(25), 430))
    listing = put_list(tmp_path / "talks.csv", ("a.mp4", None, 1, 5), ("a.mp4", None, 10.2, 17))
    go(listing, "one")
    decoded.clear()
    go(listing, "many", load_settings(QUIET, None, ["windows.length_s=8"]))
    assert len(decoded) == 3  # ticks 25 to 125, 255 to 400, 400 to 425
    assert rows(tmp_path / "many", "spans") == rows(tmp_path / "one", "spans")
    # next to seams more is searched and measured than clips need: what lies beyond is not known in a window
    for one, many in zip(rows(tmp_path / "one", "frames"), rows(tmp_path / "many", "frames"), strict=True):
        assert many["measured"] or not one["measured"]
        assert many["grid"] or not one["grid"]
        if (many["measured"], many["grid"]) == (one["measured"], one["grid"]):
            assert many == one
    trimmed = [span for span in told(tmp_path / "many") if span[2] == "trimmed"]
    assert trimmed == [(0, 25, "trimmed"), (125, 255, "trimmed"), (425, 430, "trimmed")]
    assert not list((tmp_path / "many" / "windows").iterdir())


def test_a_plan_counts_what_is_asked_for_and_not_done(tmp_path: Path) -> None:
    faceless(tmp_path / "a.mp4", 1)
    faceless(tmp_path / "b.mp4", 2)
    listing = put_list(tmp_path / "talks.csv", ("a.mp4", "anna", 0, 1), ("b.mp4", "bert", None, None))
    told = plan(str(listing), tmp_path / "dataset", QUIET)
    assert (told.n_videos, told.forecast.duration_s.expected) == (2, 3.0)  # 1 s of a, 2 s of b
    go(listing)
    put_list(listing, ("a.mp4", "anna", 0, 1.6), ("b.mp4", "bert", None, None))
    told = plan(str(listing), tmp_path / "dataset", QUIET)
    assert (told.n_videos, told.forecast.duration_s.expected) == (1, 1.6)


def test_a_copy_with_other_stretches_goes_with_the_first_and_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "copy.mp4").write_bytes(faceless(tmp_path / "a.mp4", 1).read_bytes())
    report = go(put_list(tmp_path / "talks.csv", ("a.mp4", "anna", 0, 1), ("copy.mp4", "anna", 1, 2)))
    assert any(
        "copy.mp4, are copies with another speaker, other labels or other stretches" in line for line in report.notes
    )
    assert told(tmp_path / "dataset") == [(0, 25, "no_face"), (25, 50, "trimmed")]


def test_a_wrong_list_ends_the_command_with_its_line_before_anything_is_done(tmp_path: Path) -> None:
    faceless(tmp_path / "a.mp4", 1)
    listing = put_list(tmp_path / "talks.csv", ("a.mp4", None, 2, 1))
    for command in ("run", "plan"):
        arguments = [command, "--source", str(listing), "--out", str(tmp_path / "dataset"), "--preset", "embedded"]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 2
        assert "talks.csv:2: start_s 2 is not before end_s 1" in result.output
    assert not (tmp_path / "dataset").exists()
