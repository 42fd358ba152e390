from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from helpers.made_motion import Motion, made_motion

from curation.duplicates.agreement import Agreement
from curation.duplicates.near_duplicates import NearDuplicate, groups_of, near_duplicates
from curation.duplicates.traces import MIRRORED, TRACE_UNIT, trace_of


def without(frames: pa.Table, *names: str) -> pa.Table:
    for name in names:
        number = frames.schema.get_field_index(name)
        frames = frames.set_column(number, frames.schema.field(number), pa.nulls(len(frames), frames.field(name).type))
    return frames


def found(*videos: Motion) -> list[NearDuplicate]:
    return near_duplicates({f"{number:016x}": trace_of(video.frames()) for number, video in enumerate(videos)})


def test_a_trace_of_a_crop_is_the_same_and_that_of_a_mirrored_picture_has_other_signs() -> None:
    video = made_motion(1)
    trace, cropped, mirrored = (trace_of(v.frames()) for v in (video, video.cropped(), video.mirrored()))
    np.testing.assert_allclose(cropped.face, trace.face, atol=1)
    np.testing.assert_allclose(mirrored.face * MIRRORED, trace.face, atol=1)
    assert (trace.face.shape, trace.seen.all(), trace.speaks.all()) == ((250, 6), True, True)
    assert 0.5 < (trace.sound * TRACE_UNIT).std() < 1.5


def test_a_trace_has_nothing_where_there_is_no_face_and_no_sound() -> None:
    frames = made_motion(1).frames()
    faceless = without(frames, "track_id", "box", "key_points", "pose_deg", "lip_aperture")
    assert not trace_of(faceless).face.any()
    assert not trace_of(faceless).seen.any()
    mute = trace_of(without(frames, "loudness_dbfs", "speech_prob"))
    assert not mute.sound.any()
    assert not mute.speaks.any()


CHANGES: dict[str, tuple[Callable[[Motion], Motion], float, float]] = {
    "re-encoded": (lambda video: video, 1.0, 0.0),
    "cropped": (Motion.cropped, 1.0, 0.0),
    "mirrored": (Motion.mirrored, 1.0, 0.0),
    "later start": (lambda video: video.part(60, 250), 1.0, 2.4),
    "faster": (lambda video: video.faster(1.05), 1.05, 0.0),
    "all of it": (lambda video: video.part(30, 250).cropped().mirrored().faster(1.05), 1.05, 1.2),
    "longer": (lambda video: Motion(*(np.concatenate(both) for both in _joined(made_motion(9), video))), 1.0, -10.0),
}


def _joined(first: Motion, second: Motion) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(getattr(first, name), getattr(second, name)) for name in ("points", "pose", "lips", "loudness")]


@pytest.mark.parametrize("change", CHANGES)
def test_a_copy_is_found_among_others_and_told_how_it_was_changed(change: str) -> None:
    changed, speed, offset_s = CHANGES[change]
    others = [made_motion(seed) for seed in range(2, 8)]
    (pair,) = found(made_motion(1), *others, changed(made_motion(1)).encoded(3))
    assert (pair.video_id, pair.other_id) == ("0" * 16, f"{7:016x}")
    assert pair.what.speed == pytest.approx(speed, abs=0.011)
    assert pair.what.offset_s == pytest.approx(offset_s, abs=0.25)
    assert pair.what.face > 0.8
    assert pair.what.sound > 0.9
    assert pair.what.mirrored == (change in {"mirrored", "all of it"})


def test_sound_or_face_alone_are_enough_but_music_is_not() -> None:
    one, other = made_motion(1), made_motion(2)
    mute = without(one.encoded(3).frames(), "loudness_dbfs", "speech_prob")
    dubbed = Motion(other.points, other.pose, other.lips, one.encoded(3).loudness).frames()
    music = dubbed.set_column(
        dubbed.schema.get_field_index("speech_prob"), "speech_prob", pa.array([0.1] * len(dubbed), pa.float32())
    )
    traces = {name: trace_of(table) for name, table in (("a", one.frames()), ("b", mute), ("c", dubbed))}
    pairs = near_duplicates(traces)
    assert [(pair.video_id, pair.other_id) for pair in pairs] == [("a", "b"), ("a", "c")]
    assert np.isnan(pairs[0].what.sound)
    assert pairs[1].what.face < 0.5
    assert near_duplicates({"c": trace_of(music), "a": trace_of(music)}) != []  # the same face
    quiet = one.frames().set_column(5, "speech_prob", pa.array([0.1] * len(one), pa.float32()))
    assert near_duplicates({"a": trace_of(quiet), "c": trace_of(music)}) == []


def test_nothing_is_found_among_recordings_of_their_own() -> None:
    assert found(*(made_motion(seed) for seed in range(40))) == []
    assert near_duplicates({}) == []
    assert found(made_motion(1, 5), made_motion(1, 5)) == []  # too short to be a clip


def test_a_still_picture_under_silence_is_no_copy_of_another() -> None:
    still = Motion(np.full((250, 9, 2), 50.0), np.zeros((250, 3)), np.zeros(250), np.full(250, -100.0))
    assert found(still, still) == []


def test_a_copy_of_a_copy_is_in_the_group() -> None:
    what = Agreement(face=1.0, sound=1.0, speed=1.0, offset_s=0.0, common_s=9.0, mirrored=False)
    pairs = [NearDuplicate(video_id=one, other_id=other, what=what) for one, other in ("bd", "ce", "ad", "fg")]
    assert groups_of(pairs) == {"a": "a", "b": "a", "d": "a", "c": "c", "e": "c", "f": "f", "g": "f"}
    assert groups_of([]) == {}
