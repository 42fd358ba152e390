"""Sound that is moved by a known time, to the sample, and encoded again: is the time found?"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from curation.media.audio import tick_audio
from curation.media.probe import probe
from curation.perception.sync.fitting.ridge import LAGS
from curation.perception.sync.fitting.stretches import SpokenStretch
from curation.perception.sync.network import SyncNetwork, lag_scores
from curation.speech.whisper import WhisperTinyEncoder
from foundation.array_types import Float32Array, Float64Array
from manifests.sync_curve import SyncSums
from manifests.timeline import SAMPLES_PER_TICK

_MOST_TICKS = 10
"""Farthest that sound is moved, to either side."""


def moved_errors(
    stretches: Sequence[SpokenStretch],
    networks: Sequence[SyncNetwork],
    shared: Path,
    n_ticks: int,
    rng: np.random.Generator,
) -> Float64Array:
    """Return by how many ticks each time was missed, for crops of stretches side by side.

    The time found is the difference of the offsets with and without moving; each crop is encoded alone.

    Args:
        stretches: lips and sound that belong together.
        networks: for each stretch, one that has not seen it.
        shared: the folder with `clips` and `talk`.
        n_ticks: length of a crop.
        rng: draws the times.
    """
    encoder, errors = WhisperTinyEncoder(), []
    for one, network in zip(stretches, networks, strict=True):
        (path,) = (path for folder in ("talk", "clips") for path in (shared / folder).glob(f"{one.file}.*"))
        sound = tick_audio(info := probe(path), 0, info.n_ticks)
        if sound is None:
            raise ValueError(f"{path} has no sound")
        padded = np.pad(sound, _MOST_TICKS * SAMPLES_PER_TICK)
        lips = network.lip_vectors(one.lengths)
        for first in range(0, len(one) - n_ticks + 1, n_ticks):
            moved = int(rng.integers(-_MOST_TICKS * SAMPLES_PER_TICK, _MOST_TICKS * SAMPLES_PER_TICK + 1))
            start = (one.first_tick + first + _MOST_TICKS) * SAMPLES_PER_TICK
            before, after = (
                _offset(lips[first : first + n_ticks], padded[start - late :], network, encoder) for late in (0, moved)
            )
            errors.append(after - before - moved / SAMPLES_PER_TICK)
    return np.array(errors)


def _offset(lips: Float32Array, sound: Float32Array, network: SyncNetwork, encoder: WhisperTinyEncoder) -> float:
    """Return by how many ticks the sound that begins with the lips is late."""
    rows = encoder.chunk_rows(sound, len(lips))
    curve = SyncSums.of(lag_scores(lips, network.sound_vectors(rows), LAGS)).curve()
    if curve is None:
        raise ValueError(f"{len(lips)} ticks have no score")
    return curve.offset_ticks
