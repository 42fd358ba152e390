from collections.abc import Callable
from pathlib import Path

import pytest

from models.run_folder import RunFolder
from training.evaluation.protocols.protocol import load_protocols
from training.run_videos.held_out_clips import HeldOutClips, held_out_clips
from training.run_videos.planned_videos import UnusableTestSetError, planned_videos, short_clips

PROTOCOLS = load_protocols("controlled")[1]


@pytest.fixture(scope="module")
def clips(people: Path, write_run: Callable[..., Path]) -> HeldOutClips:
    return held_out_clips(people, RunFolder(write_run()))


def test_the_first_frame_is_the_reference_and_all_others_drive(clips: HeldOutClips) -> None:
    planned = planned_videos("self_reconstruction", PROTOCOLS["self_reconstruction"], clips)
    # clips of 130, 80, 90 and 60 frames
    assert [(video.first_frame, video.n_frames) for video in planned] == [(1, 129), (1, 79), (1, 89), (1, 59)]
    assert all((video.clip_id, 0) == (video.reference_clip_id, video.reference_frame) for video in planned)
    assert [video.stem for video in planned] == clips.index.rows["clip_id"].to_pylist()


def test_speech_drives_all_frames_of_clips_that_have_speech(clips: HeldOutClips) -> None:
    planned = planned_videos("speech_driven", PROTOCOLS["speech_driven"], clips)
    assert [(video.clip_id[:4], video.first_frame, video.n_frames) for video in planned] == [
        ("carl", 0, 130), ("dora", 0, 80), ("dora", 0, 90),
    ]  # fmt: skip
    assert len({video.seed for video in planned}) == 3


def test_the_control_speaks_with_a_voice_of_another_person_that_lasts_as_long(clips: HeldOutClips) -> None:
    name = "speech_of_others"
    planned = planned_videos(name, PROTOCOLS[name], clips)
    assert planned == planned_videos(name, PROTOCOLS[name], clips)
    # carl has 130 frames and dora 80 and 90: carl speaks as long as the longest that is not his own
    said = [(video.clip_id[:4], (video.speech_clip_id or "none")[:4], video.n_frames) for video in planned]
    assert said == [("carl", "dora", 90), ("dora", "carl", 80), ("dora", "carl", 90)]
    assert planned[0].speech_clip_id == "dora-0000100-0000189"
    assert all((video.clip_id, 0) == (video.reference_clip_id, video.reference_frame) for video in planned)
    own = planned_videos("speech_driven", PROTOCOLS["speech_driven"], clips)
    assert {video.speech_clip_id for video in own} == {None}


def test_a_clip_drives_pictures_of_another_person_in_five_rounds(clips: HeldOutClips) -> None:
    planned = planned_videos("cross_reenactment", PROTOCOLS["cross_reenactment"], clips)
    assert len(planned) == len({video.stem for video in planned}) == 5 * 4
    assert [(video.round, video.stem) for video in planned[:2]] == [
        (1, "carl-0000000-0000129_round1"), (2, "carl-0000000-0000129_round2"),
    ]  # fmt: skip
    assert {video.n_frames for video in planned} == {100, 80, 90, 60}
    shown = {video.stem: (video.clip_id[:4], video.reference_clip_id[:4]) for video in planned}
    assert all(driving != reference for driving, reference in shown.values())
    frames = dict(zip(clips.index.rows["clip_id"].to_pylist(), clips.index.n_frames, strict=True))
    assert all(0 <= video.reference_frame < frames[video.reference_clip_id] for video in planned)
    assert len({(video.reference_clip_id, video.reference_frame) for video in planned}) > 10
    assert short_clips(PROTOCOLS["cross_reenactment"], planned) == [
        "3 clips have fewer than 100 frames, all of which count"
    ]
    assert planned == planned_videos("cross_reenactment", PROTOCOLS["cross_reenactment"], clips)


def test_a_limit_leaves_videos_out_and_changes_none(clips: HeldOutClips) -> None:
    protocol = PROTOCOLS["cross_reenactment"]
    every = planned_videos("cross_reenactment", protocol, clips)
    two, three = (planned_videos("cross_reenactment", protocol, clips, limit) for limit in (2, 3))
    assert [len(two), len(three)] == [10, 15]
    assert {video.stem for video in two} < {video.stem for video in three}
    assert all(video in every for video in three)


def test_a_test_set_of_one_person_has_nobody_else_to_show(people: Path, write_run: Callable[..., Path]) -> None:
    dora = held_out_clips(people, RunFolder(write_run(["carl", "eve"])))
    with pytest.raises(UnusableTestSetError, match="needs clips of two people, and the test set has 2 clips, of "):
        planned_videos("cross_reenactment", PROTOCOLS["cross_reenactment"], dora)


def test_a_test_set_without_speech_drives_nothing(people: Path, write_run: Callable[..., Path]) -> None:
    eve = held_out_clips(people, RunFolder(write_run(["carl", "dora"])))
    with pytest.raises(UnusableTestSetError, match=r"needs clips with speech features \(tier diffusion\)"):
        planned_videos("speech_driven", PROTOCOLS["speech_driven"], eve)
