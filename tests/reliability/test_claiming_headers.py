"""A run over videos whose headers claim days: each is curated by the pictures that it holds."""

import struct
from fractions import Fraction
from pathlib import Path

import pytest
from helpers.made_videos import Coding, TalkingFace, frame_times, talking_video

from curation.engine.execution import Executor
from curation.operations.run import run
from curation.settings import CurationSettings, load_settings
from manifests.files.tables import read_table
from manifests.reports.validate import validate

pytestmark = pytest.mark.slow  # the models are loaded

QUIET = load_settings(CurationSettings(), None, ["speech.encoder=none", "speech.denoiser=none"])
N = 85
"""Pictures of a person who talks for 3.4 s."""
CLAIMS = {"plain": (1, 25), "minutes": (1000, 1), "years": (2**31 - 1, 1), "nothing": (1, 2**31 - 1)}
"""dwScale and dwRate of an AVI file: seconds of a picture."""


def test_avi_files_are_curated_by_the_pictures_that_they_hold_whatever_their_headers_claim(
    talking_face: TalkingFace, tmp_path: Path
) -> None:
    source, dataset = tmp_path / "raw", tmp_path / "dataset"
    source.mkdir()
    coding = Coding(time_base=Fraction(1, 25))
    plain = talking_video(source / "plain.avi", talking_face, frame_times(Fraction(25), N), coding=coding)
    content = plain.read_bytes()
    for name, (scale, rate) in CLAIMS.items():
        changed = bytearray(content)
        struct.pack_into("<2I", changed, content.index(b"strh") + 28, scale, rate)
        (source / f"{name}.avi").write_bytes(changed)
    run(str(source), dataset, QUIET, Executor())
    rows = {Path(row["path"]).stem: row for row in read_table(dataset, "videos").to_pylist()}
    assert {name: row["status"] for name, row in rows.items()} == dict.fromkeys(CLAIMS, "ok")
    assert {name: row["duration_s"] for name, row in rows.items()} == dict.fromkeys(CLAIMS, N / 25)
    spans = read_table(dataset, "spans").to_pylist()
    found = {
        name: [(s["outcome"], s["start_s"], s["end_s"]) for s in spans if s["video_id"] == row["video_id"]]
        for name, row in rows.items()
    }
    assert found["plain"]
    assert found == dict.fromkeys(CLAIMS, found["plain"])
    assert validate(dataset) == []  # also that all seconds are accounted for
