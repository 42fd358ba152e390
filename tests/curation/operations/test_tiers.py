"""Runs that are asked for one tier only: what the other one needs is not done, and every second is accounted for."""

from fractions import Fraction
from pathlib import Path

import pytest
from helpers.made_videos import TalkingFace, frame_times, talking_video

import curation.analysis.analyze
from curation.engine.execution import Executor
from curation.operations.run import run
from curation.settings import CurationSettings, load_settings
from manifests.files.tables import read_table
from manifests.reports.explain import explain
from manifests.reports.statistics import statistics
from manifests.reports.validate import validate

SPOKEN = load_settings(CurationSettings(), None, ["tiers=[diffusion]", "windows.length_s=8"])


def test_a_video_without_speech_is_not_decoded(
    talking_face: TalkingFace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "raw"
    source.mkdir()
    talking_video(source / "short.mp4", talking_face, frame_times(Fraction(25), 85))
    talking_video(source / "long.mp4", talking_face, frame_times(Fraction(25), 410))

    def decoded(*_: object) -> None:
        raise AssertionError("pictures were decoded")

    monkeypatch.setattr(curation.analysis.analyze, "tick_frames", decoded)
    dataset = tmp_path / "dataset"
    report = run(str(source), dataset, SPOKEN, Executor())
    assert [(record.status, record.n_clips) for record in report.records] == [("ok", 0)] * 2
    assert validate(dataset) == []
    spans = {(row["tier"], row["outcome"]) for row in read_table(dataset, "spans").to_pylist()}
    assert spans == {("diffusion", "silence"), ("vae", "not_asked")}
    frames = read_table(dataset, "frames", ["measured", "grid", "decoded"]).to_pylist()
    assert frames == [{"measured": False, "grid": False, "decoded": True}] * (85 + 410)
    assert "were not asked for (setting tiers)" in explain(dataset, "short.mp4", 1.0).text()
    assert [row.biggest_drop for row in statistics(dataset).videos] == ["silence", "silence"]
