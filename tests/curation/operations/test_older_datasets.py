"""Datasets of before are completed by `run`: lips are compared with the sound, and nothing else is measured again."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from helpers.made_videos import SmallRun
from helpers.older_datasets import LATER_COLUMNS, Doubting, Steady, forget_comparison

from curation.engine import worker
from curation.engine.execution import Executor
from curation.model_registry import SYNC, register_model
from curation.operations.run import RunReport, run
from curation.output.provenance import DatasetFolderError
from curation.perception.cards import SyncCard
from curation.settings import CurationSettings, load_settings
from manifests.files.tables import read_table
from manifests.schema.arrow_arrays import numpy_of

LOCATIONS = ("mp4_offset", "mp4_size", "flac_offset", "flac_size")


@pytest.fixture(autouse=True)
def _models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SYNC, "_own", {})
    register_model(SyncCard(name="steady", scheme="mediapipe478", load=lambda _settings: Steady()))
    register_model(SyncCard(name="doubting", scheme="mediapipe478", load=lambda _settings: Doubting()))
    register_model(SyncCard(name="elsewhere", scheme="ibug68", load=lambda _settings: Steady()))


@pytest.fixture
def older(small_run: SmallRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Copies the small run, as an earlier version made it; whatever measures frames or sound fails from then on."""

    def copied(changed: Mapping[str, int] | None = None) -> Path:
        dataset = tmp_path / "dataset"
        shutil.copytree(small_run.dataset, dataset)
        forget_comparison(dataset, changed or {})

        def measured(*_: object) -> None:
            raise AssertionError("it was measured again")

        for name in ("analyze_ranges", "analyze_audio_of"):
            monkeypatch.setattr(worker, name, measured)
        return dataset

    return copied


def go(small_run: SmallRun, dataset: Path, sync: str, **changed: int) -> RunReport:
    overrides = {"perception.sync": sync, **{f"rules.sync.{name}": value for name, value in changed.items()}}
    return run(str(small_run.source), dataset, load_settings(CurationSettings(), None, overrides), Executor())


def media(dataset: Path) -> dict[str, tuple[bytes | None, ...]]:
    """By clip, its video and its sound."""
    clips = read_table(dataset, "clips", ["clip_id", "media", *LOCATIONS]).to_pylist()
    content = {row["media"]: (dataset / row["media"]).read_bytes() for row in clips}
    return {
        row["clip_id"]: tuple(
            None if row[f"{kind}_offset"] is None
            else content[row["media"]][row[f"{kind}_offset"] :][: row[f"{kind}_size"]]
            for kind in ("mp4", "flac")
        )
        for row in clips
    }  # fmt: skip


def test_a_dataset_of_before_gets_the_scores_and_keeps_its_clips(
    small_run: SmallRun, older: Callable[..., Path]
) -> None:
    dataset = older()
    before = {name: read_table(dataset, name) for name in ("frames", "clips", "spans")}
    tars = media(dataset)
    report = go(small_run, dataset, "steady")
    assert (len(report.curated), report.already_done, report.left) == (0, 1, 0)  # the broken one was done
    (note,) = [note for note in report.notes if "of an earlier run" in note]
    assert "2 videos" in note
    assert "(steady)" in note
    assert "tier diffusion 3 s, was 3 s" in note
    assert report.dataset.validate() == []
    assert media(dataset) == tars

    frames, clips = (read_table(dataset, name) for name in ("frames", "clips"))
    rows = {row["path"].rpartition("/")[2]: row for row in read_table(dataset, "videos").to_pylist()}
    talking, mute = rows["a_talking.mp4"], rows["b_mute.mp4"]
    scores = numpy_of(frames["sync_scores"])
    assert [score is None for score in scores] == [
        video == mute["video_id"] for video in frames["video_id"].to_pylist()
    ]
    assert next(score for score in scores if score is not None)[18] == np.float16(0.9)
    for name, now in (("frames", frames), ("clips", clips)):
        same = [one for one in now.column_names if one not in (*LATER_COLUMNS, *LOCATIONS, "other_faces")]
        assert now.select(same).equals(before[name].select(same))
    by_tier = dict(zip(clips["tier"].to_pylist(), clips.to_pylist(), strict=True))
    assert (by_tier["diffusion"]["sync"], by_tier["diffusion"]["sync_ticks"]) == ("in_sync", 85)
    assert by_tier["diffusion"]["sync_offset_ticks"] == 3.0
    assert by_tier["diffusion"]["sync_model"] == "steady"
    assert talking["sync_model"] == mute["sync_model"] == "steady"

    again = go(small_run, dataset, "steady")
    assert (again.already_done, [note for note in again.notes if "earlier" in note]) == (3, [])


def test_what_is_not_in_sync_leaves_its_tier_and_is_cut_anew(small_run: SmallRun, older: Callable[..., Path]) -> None:
    limits = {"sure_ticks": 70}
    dataset = older(limits)
    before = read_table(dataset, "clips")
    report = go(small_run, dataset, "doubting", **limits)
    (note,) = [note for note in report.notes if "of an earlier run" in note]
    assert "tier diffusion 0 s, was 3 s" in note
    clips = read_table(dataset, "clips")
    assert set(clips["tier"].to_pylist()) == {"vae"}
    assert clips["mp4_sha256"].to_pylist() == before["mp4_sha256"].to_pylist()
    assert clips["speech_features"].null_count == len(clips)
    assert report.dataset.validate() == []


def test_a_video_that_cannot_be_completed_stays_as_it_was(
    small_run: SmallRun, older: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = older()
    before, tars = read_table(dataset, "clips"), media(dataset)

    def fails(*_: object) -> None:
        raise ValueError("the model is ill")

    monkeypatch.setattr(Steady, "scores", fails)
    report = go(small_run, dataset, "steady")
    (note,) = [note for note in report.notes if "could not be compared" in note]
    assert note.startswith("1 video of an earlier run could not be compared with the sound, such as ")
    assert report.failed == () or {record.error_code for record in report.failed} == {"unreadable"}
    assert read_table(dataset, "clips").equals(before)
    assert media(dataset) == tars
    monkeypatch.undo()


def test_a_finder_without_the_landmarks_is_told_and_completes_nothing(
    small_run: SmallRun, older: Callable[..., Path]
) -> None:
    report = go(small_run, older(), "elsewhere")
    assert [note for note in report.notes if note.startswith("Lips are not compared with the sound")]
    assert report.already_done == 3


def test_a_comparison_may_be_added_to_a_dataset_and_not_taken_away(small_run: SmallRun, tmp_path: Path) -> None:
    dataset = tmp_path / "dataset"
    shutil.copytree(small_run.dataset, dataset)
    with pytest.raises(DatasetFolderError, match=r"perception\.sync: none, was embedded"):
        go(small_run, dataset, "none")
    path = dataset / "dataset.json"
    record = json.loads(path.read_text())
    record["config"]["perception"]["sync"] = "none"
    comparison = [("perception", "embedded_sync"), ("perception", "whisper-tiny.en")]
    record["weights"] = [one for one in record["weights"] if (one["role"], one["name"]) not in comparison]
    path.write_text(json.dumps(record))
    report = go(small_run, dataset, "steady")
    assert any("2 videos of an earlier run: compared" in note for note in report.notes)
    now = json.loads(path.read_text())
    assert now["config"]["perception"]["sync"] == "steady"
    assert "embedded_sync" not in {weight["name"] for weight in now["weights"]}
