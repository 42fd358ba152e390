"""The videos of a protocol: which clip drives each, whose picture it shows, which frames it has (GAIA appendix B)."""

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from foundation.errors import UsageError
from foundation.text import count_text
from training.data.fair_shares import hash_order
from training.data.randomness import draw_below, seed_of
from training.evaluation.protocols.protocol import EvaluationProtocol
from training.run_videos.held_out_clips import HeldOutClips

__all__ = ["PlannedVideo", "UnusableTestSetError", "planned_videos", "short_clips"]


class UnusableTestSetError(UsageError):
    """The clips of a test set do not allow a protocol; the message says what is missing."""


class PlannedVideo(BaseModel):
    """One video to be generated."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    stem: str = Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=200)
    """Name of its files, without suffix."""
    round: int
    """From 1 on."""
    clip_id: str
    """Clip that drives it, and whose frames are the truth."""
    speech_clip_id: str | None = None
    """Clip of another person whose speech drives it; None: that of the clip, or landmarks."""
    reference_clip_id: str
    """Clip whose picture is animated."""
    reference_frame: int
    """Frame of that clip."""
    first_frame: int
    """First frame of the driving clip that is generated."""
    n_frames: int
    """Number of frames."""
    seed: int | None
    """Of the noise; None: nothing is drawn."""


def planned_videos(
    name: str, protocol: EvaluationProtocol, clips: HeldOutClips, limit: int | None = None
) -> tuple[PlannedVideo, ...]:
    """Return the videos of a protocol, in the order of their clips.

    What is drawn follows from the names of the protocol and of the driving clip, so that a limit changes no video.

    Args:
        name: of the protocol.
        protocol: its content.
        clips: the test set.
        limit: number of driving clips, drawn in the order of a hash of their names; None: all.

    Raises:
        UnusableTestSetError: no clip can drive a video, or there is no clip of another person.
    """
    driving = driving_all = _driving(protocol, clips)
    if not driving:
        lacking = "speech features (tier diffusion)" if protocol.drive == "speech" else "enough frames"
        raise UnusableTestSetError(
            f"{clips.index.dataset}: protocol {name} needs clips with {lacking}, and none of the {len(clips.index)} "
            "clips of the test set is one; curate more videos into the test set"
        )
    if limit is not None:
        wanted = set(driving)
        driving = sorted([clip for clip in hash_order(clips.index.rows) if clip in wanted][:limit])
    ids = clips.index.rows["clip_id"].to_pylist()
    n_frames = clips.index.n_frames.tolist()
    planned = []
    for clip in driving:
        available = n_frames[clip] - protocol.first_frame
        speech = None if protocol.speech == "own" else _other_speech(name, protocol, clips, ids, driving_all, clip)
        if speech is not None:
            available = min(available, n_frames[speech] - protocol.first_frame)
        for number in range(1, protocol.rounds + 1):
            reference, frame = _reference(name, protocol, clips, ids, n_frames, clip, number)
            stem = ids[clip] if protocol.rounds == 1 else f"{ids[clip]}_round{number}"
            planned.append(
                PlannedVideo(
                    stem=stem,
                    round=number,
                    clip_id=ids[clip],
                    speech_clip_id=None if speech is None else ids[speech],
                    reference_clip_id=ids[reference],
                    reference_frame=frame,
                    first_frame=protocol.first_frame,
                    n_frames=min(available, protocol.most_frames or available),
                    # below 2^53, which all readers of JSON can hold
                    seed=seed_of(protocol.seed, name, "motion", stem) >> 11 if protocol.drive == "speech" else None,
                )
            )
    return tuple(planned)


def short_clips(protocol: EvaluationProtocol, planned: Sequence[PlannedVideo]) -> list[str]:
    """Return a sentence on clips with fewer frames than a protocol asks for; none where there are no such clips."""
    most = protocol.most_frames
    short = {video.clip_id for video in planned if most is not None and video.n_frames < most}
    many = count_text(len(short), "clip has", "clips have")
    return [f"{many} fewer than {most} frames, all of which count"] if short else []


def _driving(protocol: EvaluationProtocol, clips: HeldOutClips) -> list[int]:
    """Return the numbers of the clips that can drive a video."""
    enough = clips.index.n_frames > protocol.first_frame
    if protocol.drive == "speech":
        enough &= np.array(
            [name is not None for name in clips.index.rows["speech_encoder"].to_pylist()], dtype=np.bool_
        )
    return [int(clip) for clip in np.flatnonzero(enough)]


def _other_speech(
    name: str, protocol: EvaluationProtocol, clips: HeldOutClips, ids: Sequence[str], speaking: Sequence[int], clip: int
) -> int:
    """Return a clip of another person's speech: one that is long enough, or else the longest."""
    others = [other for other in speaking if clips.people[other] != clips.people[clip]]
    if not others:
        raise UnusableTestSetError(
            f"{clips.index.dataset}: protocol {name} needs speech of two people, and all of the test set is of "
            f"{clips.people[clip]}; curate more people into the test set"
        )
    n_frames = clips.index.n_frames
    enough = [other for other in others if n_frames[other] >= n_frames[clip]]
    if not enough:
        return max(others, key=lambda other: (int(n_frames[other]), ids[other]))
    return enough[draw_below(len(enough), protocol.seed, name, ids[clip], "speech")]


def _reference(
    name: str,
    protocol: EvaluationProtocol,
    clips: HeldOutClips,
    ids: Sequence[str],
    n_frames: Sequence[int],
    clip: int,
    number: int,
) -> tuple[int, int]:
    """Return clip and frame of the picture that is animated."""
    if protocol.reference == "first_frame":
        return clip, 0
    others = [other for other, person in enumerate(clips.people) if person != clips.people[clip]]
    if not others:
        raise UnusableTestSetError(
            f"{clips.index.dataset}: protocol {name} needs clips of two people, and the test set has "
            f"{count_text(len(clips.index), 'clip')}, of {clips.people[clip]} alone; curate more people into the test "
            "set"
        )
    stream = (protocol.seed, name, ids[clip], number)
    chosen = others[draw_below(len(others), *stream, "clip")]
    return chosen, draw_below(n_frames[chosen], *stream, "frame")
