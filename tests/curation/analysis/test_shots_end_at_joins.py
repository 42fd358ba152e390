"""Where recordings were joined in one file, a shot ends."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.made_videos import TalkingFace, frame_times, talking_video

from curation.analysis.analyze import analyze_frames
from curation.media.probe import probe
from curation.perception.models import load_perception, perception_assets
from curation.perception.settings import PerceptionSettings
from curation.rules.cut import CutSettings, cut
from foundation.weights import ensure_assets


def test_a_join_is_a_cut_even_between_pictures_that_are_alike(tmp_path: Path, talking_face: TalkingFace) -> None:
    ensure_assets(perception_assets(PerceptionSettings()))
    models = load_perception(PerceptionSettings())
    part = talking_video(
        tmp_path / "part.ts", talking_face, frame_times(Fraction(25), 30), change=lambda _: talking_face.at(0)
    )
    path = tmp_path / "joined.ts"
    path.write_bytes(part.read_bytes() * 2)
    info = probe(path)
    assert (info.n_ticks, info.joins) == (60, (30,))
    whole = analyze_frames(info, models, 0, 60)
    assert np.flatnonzero(cut(whole.cut_score, CutSettings()).failed).tolist() == [30]
    assert whole.cut_score[30] == pytest.approx(1.0)
    for first, end in ((0, 30), (25, 60)):
        assert np.array_equal(analyze_frames(info, models, first, end).cut_score, whole.cut_score[first:end])
