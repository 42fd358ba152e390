"""Clips of a dataset, and the face track that each shows."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curation.identities.clustering import unit
from curation.identities.face_tracks import FaceTracks
from foundation.array_types import BoolArray, Int64Array
from manifests.files.tables import read_table
from manifests.schema.arrow_arrays import numpy_of
from manifests.timeline import TICK_RATE_HZ

__all__ = ["ClipFaces", "read_clip_faces"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipFaces:
    """Clips in the order of their ids."""

    clip_id: tuple[str, ...]
    speaker: tuple[tuple[str, str] | None, ...]
    """Source and speaker id of each; None where the layout does not tell."""
    speaks: BoolArray
    """(C,) whether it is of tier `diffusion`, so that it holds the speech of its face."""
    track: Int64Array
    """(C,) number of the track that it shows; -1 where no descriptor was taken of it."""

    def speakers(self) -> dict[int, tuple[str, str]]:
        """Return by track the source and the speaker id that its clips have."""
        return {
            track: speaker
            for track, speaker in zip(self.track.tolist(), self.speaker, strict=True)
            if track >= 0 and speaker is not None
        }

    def of_tracks(self, *, speaking: bool = False) -> dict[int, list[str]]:
        """Return by track the ids of its clips, or of those that hold its speech, sorted."""
        clips: dict[int, list[str]] = defaultdict(list)
        for clip_id, track, speaks in zip(self.clip_id, self.track.tolist(), self.speaks.tolist(), strict=True):
            if track >= 0 and (speaks or not speaking):
                clips[track].append(clip_id)
        return clips


def read_clip_faces(dataset: Path, tracks: FaceTracks) -> ClipFaces:
    """Read the clips of a dataset, and find the face of each: of the tracks that it overlaps, the most similar one.

    Raises:
        DatasetError: the table is damaged.
    """
    columns = ["clip_id", "video_id", "source", "speaker_id", "tier", "start_s", "end_s", "identity"]
    rows = read_table(dataset, "clips", columns).sort_by("clip_id")
    descriptors = numpy_of(rows["identity"])
    of_video: dict[str, list[int]] = defaultdict(list)
    for number, video_id in enumerate(tracks.video_id):
        of_video[video_id].append(number)
    faces = []
    facts = rows.drop_columns(["identity"]).to_pylist()
    for row, descriptor in zip(facts, descriptors, strict=True):
        first, end = (round(row[name] * TICK_RATE_HZ) for name in ("start_s", "end_s"))
        near = [k for k in of_video[row["video_id"]] if tracks.first_tick[k] < end and tracks.last_tick[k] >= first]
        if descriptor is None or not near:
            faces.append(-1)
            continue
        likeness = tracks.descriptor[near] @ unit(np.asarray(descriptor, np.float32)[None])[0]
        faces.append(near[int(likeness.argmax())])
    return ClipFaces(
        clip_id=tuple(row["clip_id"] for row in facts),
        speaker=tuple(None if row["speaker_id"] is None else (row["source"], row["speaker_id"]) for row in facts),
        speaks=np.array([row["tier"] == "diffusion" for row in facts], dtype=np.bool_),
        track=np.array(faces, dtype=np.int64),
    )
