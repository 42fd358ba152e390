"""A stream that goes on in frames of another size: each stretch is measured in its own pixels, as a shot of its own."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from helpers.made_videos import Coding, Sound, TalkingFace, frame_times, talking_video

from curation.analysis.analyze import analyze_frames
from curation.analysis.mask_stride import StridedMask
from curation.analysis.shape_starts import ShapeStarts
from curation.engine.execution import Executor
from curation.evidence.measures import SURE_CUT_SCORE
from curation.media.probe import probe
from curation.operations.run import run
from curation.perception.models import load_perception, perception_assets
from curation.perception.settings import PerceptionSettings
from curation.rules.cut import CutSettings
from curation.settings import CurationSettings
from foundation.array_types import Float32Array, RgbImage
from foundation.weights import ensure_assets

FACE_PX = 154
"""Width of the face in every picture of `TalkingFace`."""


def wide(picture: RgbImage) -> RgbImage:
    return np.pad(picture, ((20, 20), (160, 160), (0, 0)), constant_values=90)


def tall(picture: RgbImage) -> RgbImage:
    return np.pad(picture, ((160, 160), (20, 20), (0, 0)), constant_values=90)


def turned_call(path: Path, face: TalkingFace, first_s: Fraction, second_s: Fraction) -> Path:
    """640x360 pictures, then 360x640, in one transport stream whose clock goes on."""
    parts = []
    for change, start_s, length_s in ((wide, Fraction(0), first_s), (tall, first_s, second_s)):
        samples = face.sound(float(start_s), float(start_s + length_s)).samples
        part = talking_video(
            path.with_name(f"{change.__name__}.ts"), face, frame_times(Fraction(25), int(length_s * 25)),
            change=change, coding=Coding(start_s=1 + start_s), sound=Sound(samples=samples),
        )  # fmt: skip
        parts.append(part.read_bytes())
        part.unlink()
    path.write_bytes(b"".join(parts))
    return path


def test_both_halves_of_a_turned_call_are_clips_in_which_the_face_has_its_own_proportions(
    tmp_path: Path, talking_face: TalkingFace
) -> None:
    (tmp_path / "raw").mkdir()
    turned_call(tmp_path / "raw" / "turned.ts", talking_face, Fraction(17, 5), Fraction(17, 5))
    run(str(tmp_path / "raw"), tmp_path / "dataset", CurationSettings(), Executor())
    clips = pq.read_table(tmp_path / "dataset" / "clips").to_pylist()
    assert [clip["tier"] for clip in clips] == ["diffusion", "diffusion"]
    sizes = [clip["crop_size"] for clip in clips]  # twice the width of the face
    assert sizes == pytest.approx([2 * FACE_PX, 2 * FACE_PX], rel=0.06)
    middles = [(clip["crop_x0"] + clip["crop_size"] / 2, clip["crop_y0"] + clip["crop_size"] / 2) for clip in clips]
    # the picture moved by 140 px to the left and 140 px down
    assert middles[1][0] - middles[0][0] == pytest.approx(-140, abs=12)
    assert middles[1][1] - middles[0][1] == pytest.approx(140, abs=12)
    frames = pq.read_table(tmp_path / "dataset" / "frames").to_pandas()
    boxes = np.stack(frames["box"].dropna().to_numpy())
    proportions = (boxes[:, 3] - boxes[:, 1]) / (boxes[:, 2] - boxes[:, 0])
    assert len(boxes) >= 165
    assert np.ptp([np.median(proportions[:80]), np.median(proportions[-80:])]) < 0.06


def test_a_window_around_the_change_measures_what_the_whole_pass_measures(
    tmp_path: Path, talking_face: TalkingFace
) -> None:
    ensure_assets(perception_assets(PerceptionSettings()))
    models = load_perception(PerceptionSettings())
    info = probe(turned_call(tmp_path / "turned.ts", talking_face, Fraction(28, 25), Fraction(28, 25)))
    whole = analyze_frames(info, models, 0, info.n_ticks)
    (change,) = np.flatnonzero(whole.cut_score >= SURE_CUT_SCORE)
    assert change == 28
    window = analyze_frames(info, models, 25, info.n_ticks)
    assert np.array_equal(window.cut_score, whole.cut_score[25:])
    inside = whole.faces.tick >= 25
    for column in ("landmarks_px", "box_px", "mask_prob"):
        assert np.array_equal(getattr(window.faces, column), getattr(whole.faces, column)[inside]), column


def of_step(thumbs: np.ndarray) -> Float32Array:
    """A scorer that knows nothing before the first thumbnail, and calls the others by their own level."""
    scores = thumbs[:, 0, 0, 0].astype(np.float32) / 100
    scores[:1] = 0.0
    return scores


def test_thumbnails_of_two_sizes_are_not_compared() -> None:
    starts = ShapeStarts(3)
    sizes = [(640, 360), (640, 360), (360, 640), (360, 640)]
    assert [starts.add(row, size) for row, size in enumerate(sizes)] == [False, False, True, False]
    thumbs = np.full((4, 27, 48, 3), 20, np.uint8)
    assert starts.cut_scores(of_step, thumbs).tolist() == pytest.approx([0.0, 0.2, 1.0, 0.2])


def test_a_size_after_a_longer_gap_than_a_window_sees_is_none_that_it_marks() -> None:
    starts = ShapeStarts(3)
    assert [starts.add(0, (640, 360)), starts.add(3, (360, 640)), starts.add(7, (640, 360))] == [False, True, False]


def test_no_limit_keeps_a_clip_together_over_two_sizes() -> None:
    with pytest.raises(ValueError, match="less than or equal to 1"):
        CutSettings(min_score=1.01)


def test_the_mask_of_one_shot_is_not_carried_into_the_next() -> None:
    def classifier(_: RgbImage, key_points_px: Float32Array, boxes_px: Float32Array) -> Float32Array:
        assert len(key_points_px) == len(boxes_px)
        asked.append(float(boxes_px[0, 0]))
        return np.zeros(len(boxes_px), np.float32)

    asked: list[float] = []
    masks = StridedMask(classifier, 5)
    points, picture = np.zeros((1, 9, 2), np.float32), np.zeros((8, 8, 3), np.uint8)
    for tick in range(1, 5):
        if tick == 3:
            masks.begin_shot()
        masks.add(tick, picture, points, np.array([[tick, 0.0, tick + 100, 100.0]], np.float32))
    _, measured = masks.finish()
    assert measured.tolist() == [True, True, True, True]  # first and last of each shot
    assert asked == [1.0, 2.0, 3.0, 4.0]
