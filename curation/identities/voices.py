"""Voices of face tracks: what their clips sound like, which are one voice, and where face and voice disagree."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curation.identities.clip_faces import ClipFaces
from curation.identities.clustering import GroupMeans, agglomerate, unit
from curation.identities.links import Groups
from foundation.array_types import Float32Array, Int64Array
from manifests.dataset import Dataset
from manifests.timeline import AUDIO_RATE_HZ

__all__ = ["Voices", "grouped_voices", "measured_voices", "voice_conflicts"]

_LONGEST_S = 10.0
"""Speech that is listened to per track: more tells voices apart no better, and costs as much as it is long."""

_SHORTEST_S = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Voices:
    """Voices of V tracks."""

    track: Int64Array
    """(V,) numbers of the tracks."""
    embedding: Float32Array
    """(V, D) descriptions, length 1."""
    group: Int64Array
    """(V,) the voice: the lowest place of its tracks in this list."""


def measured_voices(
    dataset: Path,
    clips: ClipFaces,
    describe: Callable[[Float32Array], Float32Array],
    known: Mapping[int, Float32Array],
) -> dict[int, Float32Array]:
    """Return by track the description of the voice in its clips of tier `diffusion`, which hold speech.

    Args:
        dataset: the folder.
        clips: of the dataset.
        describe: the voice model.
        known: by track, what an earlier call measured.

    Raises:
        DatasetError: a clip cannot be read.
    """
    opened = Dataset(dataset)
    voices: dict[int, Float32Array] = {}
    for track, clip_ids in sorted(clips.of_tracks(speaking=True).items()):
        if track in known:
            voices[track] = known[track]
            continue
        heard: list[Float32Array] = []
        for clip_id in clip_ids:
            left = int(_LONGEST_S * AUDIO_RATE_HZ) - sum(map(len, heard))
            audio = opened.clip(clip_id).audio() if left > 0 else None
            if audio is not None:
                heard.append(np.asarray(audio, dtype=np.float32)[:left])
        long = [audio for audio in heard if len(audio) >= _SHORTEST_S * AUDIO_RATE_HZ]
        if long:
            weighted = np.stack([describe(audio) * np.float32(len(audio)) for audio in long])
            voices[track] = unit(weighted.sum(axis=0, keepdims=True))[0]
    return voices


def grouped_voices(voices: Mapping[int, Float32Array], limit: float, *, threads: int) -> Voices:
    """Group the voices of tracks, given at least one, by a limit of their mean cosine."""
    track = np.array(sorted(voices), dtype=np.int64)
    embedding = np.stack([voices[number] for number in track.tolist()])
    groups = Groups(len(track))
    agglomerate(GroupMeans(embedding, groups), groups, np.arange(len(track)), limit, threads=threads)
    return Voices(track=track, embedding=embedding, group=groups.all())


def voice_conflicts(voices: Voices, persons: Sequence[str], limit: float) -> dict[int, str]:
    """Return by track where face and voice disagree, in words.

    Args:
        voices: of tracks.
        persons: by number of a track, the id of its person.
        limit: mean cosine from which on two voices are one.
    """
    words: dict[int, str] = {}
    whose = [persons[track] for track in voices.track.tolist()]
    of_person: dict[str, list[int]] = defaultdict(list)
    of_voice: dict[int, list[int]] = defaultdict(list)
    for place, person in enumerate(whose):
        of_person[person].append(place)
        of_voice[int(voices.group[place])].append(place)
    for own in of_person.values():
        usual, _ = Counter(voices.group[own].tolist()).most_common(1)[0]
        for place in own:
            others = [k for k in own if k != place and voices.group[k] == usual]
            cosine = float((voices.embedding[others] @ voices.embedding[place]).mean()) if others else 1.0
            if voices.group[place] != usual and cosine < limit:
                words[int(voices.track[place])] = (
                    f"the face is {whose[place]}, and the voice is another than in most of that person's clips (mean "
                    f"cosine {cosine:.2f}, the limit is {limit:.2f})"
                )
    for members in of_voice.values():
        for place in members:
            rivals = sorted({whose[k] for k in members} - {whose[place]})
            if rivals and int(voices.track[place]) not in words:
                words[int(voices.track[place])] = (
                    f"the voice is also that of {', '.join(rivals[:3])}, whose face is another"
                )
    return words
