"""Runs over folders of known data sets: who speaks reaches every table, and a folder is read in one way."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.made_videos import TalkingFace, counted_picture, frame_times, talking_video, write_video
from typer.testing import CliRunner

from curation.cli.app import app
from curation.engine.execution import Executor
from curation.operations.forget import forget
from curation.operations.run import RunReport, run
from curation.output.folder import DatasetFolderError
from curation.settings import CurationSettings, load_settings
from curation.sources.exclusions import read_exclusions
from curation.sources.layouts import LayoutChoice
from foundation.array_types import RgbImage
from manifests.files.tables import read_table
from manifests.record import read_dataset
from manifests.reports.statistics import statistics
from manifests.reports.validate import validate

QUIET = load_settings(CurationSettings(), None, ["speech.encoder=none", "speech.denoiser=none"])

NAMES = ("WDA_AmyKlobuchar0_000.mp4", "WDA_AmyKlobuchar1_000.mp4", "WRA_KellyAyotte_000.mp4")


def faceless(path: Path, number: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_video(path, frame_times(Fraction(25), 3), [counted_picture(number)] * 3)


@pytest.fixture
def hdtf(tmp_path: Path) -> Path:
    """A folder of three clips of two people."""
    for number, name in enumerate(NAMES):
        faceless(tmp_path / "HDTF" / name, number)
    return tmp_path / "HDTF"


def go(source: Path, layout: LayoutChoice = "auto", *, speakers: Path | None = None) -> RunReport:
    lists = read_exclusions(speakers, None)
    return run(str(source), source.parent / "dataset", QUIET, Executor(), layout=layout, exclusions=lists)


def speakers(dataset: Path) -> dict[str, tuple[str, str | None, str]]:
    rows = read_table(dataset, "videos").to_pylist()
    return {Path(row["path"]).name: (row["source"], row["speaker_id"], row["status"]) for row in rows}


def test_source_and_speaker_are_in_the_table_and_are_counted(hdtf: Path) -> None:
    report = go(hdtf)
    dataset = hdtf.parent / "dataset"
    assert speakers(dataset) == {
        NAMES[0]: ("hdtf", "AmyKlobuchar", "ok"),
        NAMES[1]: ("hdtf", "AmyKlobuchar", "ok"),
        NAMES[2]: ("hdtf", "KellyAyotte", "ok"),
    }
    (row,) = statistics(dataset).sources
    assert (row.source, row.videos, row.speakers_raw) == ("hdtf", 3, 2)
    assert f"{hdtf} has the layout hdtf; --layout folder would take it as a plain folder." in report.notes
    assert validate(dataset) == []


def test_a_person_of_a_data_set_is_left_out_by_its_id(hdtf: Path) -> None:
    (hdtf.parent / "out.txt").write_text("AmyKlobuchar\n")
    report = go(hdtf, speakers=hdtf.parent / "out.txt")
    assert report.excluded == 2
    assert [status for _, _, status in speakers(hdtf.parent / "dataset").values()] == ["excluded", "excluded", "ok"]


def test_a_person_of_a_data_set_is_forgotten_by_its_id_for_good(hdtf: Path) -> None:
    go(hdtf)
    dataset = hdtf.parent / "dataset"
    assert forget(dataset, speaker="AmyKlobuchar").files == 2
    assert list(speakers(dataset)) == [NAMES[2]]
    go(hdtf)
    assert list(speakers(dataset)) == [NAMES[2]]
    assert validate(dataset) == []


def test_the_record_says_how_a_folder_was_read_and_not_which(hdtf: Path) -> None:
    go(hdtf, "hdtf")
    record = (hdtf.parent / "dataset" / "dataset.json").read_text()
    assert [told["layout"] for told in json.loads(record)["layouts"]] == ["hdtf"]
    assert str(hdtf) not in record


@pytest.mark.parametrize("command", ["run", "plan"])
def test_another_layout_of_a_folder_stops_with_what_differs(hdtf: Path, command: str) -> None:
    go(hdtf, "hdtf")
    dataset = hdtf.parent / "dataset"
    before = read_dataset(dataset), speakers(dataset)
    arguments = [command, "--source", str(hdtf), "--out", str(dataset), "--preset", "embedded", "--layout", "folder"]
    options = ["--set", "speech.encoder=none", "--set", "speech.denoiser=none"]
    result = CliRunner().invoke(app, [*arguments, *options])
    assert result.exit_code == 2
    assert f"layout of {hdtf}: folder, was hdtf" in " ".join(result.output.split())
    assert (read_dataset(dataset), speakers(dataset)) == before


def test_a_file_that_makes_a_folder_another_is_told_before_speakers_are_lost(hdtf: Path) -> None:
    go(hdtf)
    faceless(hdtf / "my holiday.mp4", 7)
    with pytest.raises(DatasetFolderError, match=r"folder, was hdtf\. Give --layout hdtf"):
        go(hdtf)
    go(hdtf, "hdtf")
    assert speakers(hdtf.parent / "dataset")["my holiday.mp4"] == ("hdtf", None, "ok")


def test_two_data_sets_of_different_layouts_make_one_dataset(hdtf: Path) -> None:
    faceless(hdtf.parent / "Vox2" / "dev" / "mp4" / "id00012" / "21Uxsk56VDQ" / "00001.mp4", 9)
    go(hdtf)
    go(hdtf.parent / "Vox2")
    go(hdtf)
    dataset = hdtf.parent / "dataset"
    assert speakers(dataset)["00001.mp4"] == ("voxceleb2", "id00012", "ok")
    assert len(speakers(dataset)) == 4
    assert [told.layout for told in read_dataset(dataset).layouts] == ["hdtf", "voxceleb2"]


def as_in_voxceleb2(picture: RgbImage) -> RgbImage:
    """Return 224 by 224 px with a face of 87 px."""
    import cv2

    return np.pad(cv2.resize(picture, (180, 180), interpolation=cv2.INTER_AREA), ((22, 22), (22, 22), (0, 0)), "edge")


def outcomes(dataset: Path) -> set[tuple[str, str]]:
    return {(row["tier"], row["outcome"]) for row in read_table(dataset, "spans").to_pylist()}


@pytest.mark.slow
def test_the_layout_of_voxceleb2_brings_limits_that_keep_its_faces(tmp_path: Path, talking_face: TalkingFace) -> None:
    video = tmp_path / "vox2" / "dev" / "mp4" / "id00012" / "21Uxsk56VDQ" / "00001.mp4"
    video.parent.mkdir(parents=True)
    sound = talking_face.sound(0.0, 3.4)
    talking_video(video, talking_face, frame_times(Fraction(25), 85), sound=sound, change=as_in_voxceleb2)

    def curated(name: str, *options: str) -> tuple[Path, str]:
        arguments = ["run", "--source", str(tmp_path / "vox2"), "--out", str(tmp_path / name), "--preset", "embedded"]
        quiet = ["--set", "speech.encoder=none", "--set", "speech.denoiser=none"]
        result = CliRunner().invoke(app, [*arguments, *quiet, *options])
        assert result.exit_code == 0, result.output
        return tmp_path / name, " ".join(result.output.split())

    recognised, said = curated("recognised")
    assert outcomes(recognised) == {("diffusion", "kept"), ("vae", "kept")}
    limits = read_dataset(recognised).config["rules"]["small_face"]
    assert (limits["strict_px"], limits["loose_px"]) == (80.0, 64.0)
    assert (
        "The layout voxceleb2 brings rules.small_face.strict_px=80 and rules.small_face.loose_px=64; --set or --config "
        "would change them."
    ) in said
    curated("recognised")  # the same command goes on with the dataset

    plain, said = curated("plain", "--layout", "folder")
    assert outcomes(plain) == {("diffusion", "small_face"), ("vae", "kept")}
    assert "brings" not in said

    asked, said = curated("asked", "--set", "rules.small_face.strict_px=100")
    assert outcomes(asked) == {("diffusion", "small_face"), ("vae", "kept")}
    assert (
        "Other settings than those that the layout voxceleb2 brings: rules.small_face.strict_px is 100.0, not 80."
        in said
    )


@pytest.mark.slow
def test_all_clips_of_a_speaker_are_in_one_split(tmp_path: Path, talking_face: TalkingFace) -> None:
    source = tmp_path / "HDTF"
    source.mkdir()
    for number, name in enumerate(NAMES):
        times_s = [time_s + number for time_s in frame_times(Fraction(25), 77)]
        sound = talking_face.sound(float(number), number + 3.08)
        talking_video(source / name, talking_face, times_s, sound=sound)
    few_for_training = load_settings(QUIET, None, ["split.val_share=0.45", "split.test_share=0.45"])
    run(str(source), tmp_path / "dataset", few_for_training, Executor())
    clips = read_table(tmp_path / "dataset", "clips", ["path", "source", "speaker_id", "split"]).to_pylist()
    assert {(Path(clip["path"]).name, clip["source"], clip["speaker_id"]) for clip in clips} == {
        (NAMES[0], "hdtf", "AmyKlobuchar"),
        (NAMES[1], "hdtf", "AmyKlobuchar"),
        (NAMES[2], "hdtf", "KellyAyotte"),
    }
    # two thirds of the hours and one third, where 45 % are asked for: the hash of the videos says who comes first
    sides = {clip["speaker_id"]: {c["split"] for c in clips if c["speaker_id"] == clip["speaker_id"]} for clip in clips}
    assert sorted(map(sorted, sides.values())) == [["test"], ["val"]]
