"""What the rule `sync` takes of videos, as the arrays of a file: of ticks in which no stretch can lie, no scores.

Descriptors tell the rule which stretches of a video show one face. A file holds them turned about at random, those of
each video in its own way that is not kept: how far they lie apart stays the same, and with a face of anywhere else they
cannot be compared.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from curation.evidence.sync_measures import SyncMeasures
from curation.what_if.tried_videos import TriedVideos
from foundation.array_types import BoolArray, Float16Array, Float32Array, Int64Array
from manifests.sync_curve import LAGS

__all__ = ["kept_sync", "sync_of"]

_AROUND_TICKS = 22
"""Most ticks around a stretch that the rule looks at: the largest `rules.sync.around_ticks`."""

_Arrays = Mapping[str, npt.NDArray[np.generic]]


def kept_sync(row: TriedVideos) -> dict[str, npt.NDArray[np.generic]]:
    """Return arrays by name, from which `sync_of` makes the measures of a row again; none where it has none."""
    own = [(place, one) for place, one in enumerate(row.sync) if one is not None]
    if not own:
        return {}
    scored = [_near(row, place, len(one)) & ~np.isnan(_scores(one)).all(axis=1) for place, one in own]
    n_numbers = max(one.descriptor.shape[1] for _, one in own)
    described = [one for _, one in own if one.descriptor.shape[1] == n_numbers > 0]
    return {
        "places": np.array([place for place, _ in own]),
        "ticks": np.array([len(one) for _, one in own]),
        "scored": np.packbits(np.concatenate(scored)),
        "scores": np.concatenate([_scores(one)[rows] for (_, one), rows in zip(own, scored, strict=True)]),
        "speech": np.concatenate([_speech(one) for _, one in own]),
        "moved": np.packbits(np.concatenate([one.moved for _, one in own])),
        "yaw": np.concatenate([one.yaw_deg for _, one in own]),
        "mask": np.concatenate([one.mask_prob for _, one in own]),
        "descriptors": np.array([len(one.described) if one.descriptor.size else 0 for _, one in own]),
        "described": np.concatenate([np.zeros(0, np.int64), *(one.described for one in described)]),
        "descriptor": np.concatenate(
            [np.zeros((0, n_numbers), np.float32), *(_turned(one.descriptor) for one in described)]
        ),
        "track": np.concatenate([one.track_id for _, one in own]).astype(np.int32),
        "breaks": np.packbits(np.concatenate([one.breaks for _, one in own])),
    }


def sync_of(arrays: _Arrays, n_videos: int) -> list[SyncMeasures | None]:
    """Return the measures of a row of V videos, NaN for scores of ticks in which no stretch can lie.

    Args:
        arrays: of `kept_sync`; a file may hold others of these names.
        n_videos: V.

    Raises:
        KeyError, ValueError, IndexError: they are no arrays of such a row.
    """
    found: list[SyncMeasures | None] = [None] * n_videos
    if "places" not in arrays:
        return found
    places, ticks = (np.asarray(arrays[name], dtype=np.int64) for name in ("places", "ticks"))
    n_ticks = int(ticks.sum())
    scored, moved, breaks = (_flags(arrays[name], n_ticks) for name in ("scored", "moved", "breaks"))
    scores = np.full((n_ticks, len(LAGS)), np.nan, dtype=np.float16)
    scores[scored] = arrays["scores"]
    speech, yaw, mask = (np.asarray(arrays[name], dtype=np.float32) for name in ("speech", "yaw", "mask"))
    track, described = (np.asarray(arrays[name], dtype=np.int64) for name in ("track", "described"))
    descriptor = np.asarray(arrays["descriptor"], dtype=np.float32)
    ends, last = np.cumsum(ticks), np.cumsum(np.asarray(arrays["descriptors"], dtype=np.int64))
    for number, place in enumerate(places.tolist()):
        own = slice(int(ends[number] - ticks[number]), int(ends[number]))
        of = slice(int(last[number - 1]) if number else 0, int(last[number]))
        found[place] = SyncMeasures(
            scores=scores[own],
            speech_prob=speech[own],
            moved=moved[own],
            yaw_deg=yaw[own],
            mask_prob=mask[own],
            described=described[of],
            descriptor=descriptor[of],
            track_id=track[own],
            breaks=breaks[own],
        )
    return found


def _turned(descriptor: Float32Array) -> Float32Array:
    """Return (K, D) descriptors, all turned by the same random rotation about 0, or mirrored."""
    n_numbers = descriptor.shape[1]
    rotation = np.linalg.qr(np.random.default_rng().standard_normal((n_numbers, n_numbers)))[0]
    turned: Float32Array = (descriptor @ rotation).astype(np.float32)
    return turned


def _near(row: TriedVideos, place: int, n_ticks: int) -> BoolArray:
    """Return (n_ticks,) whether a tick of a video lies in a possible stretch of tier `diffusion`, or around one."""
    first = int(row.first_tick[place])
    own = slice(first, first + n_ticks)
    possible = row.passed["vae"][own] & row.passed["diffusion"][own]
    beyond = np.zeros(_AROUND_TICKS, dtype=np.int64)
    below: Int64Array = np.concatenate([beyond, [0], np.cumsum(possible), beyond])
    below[-_AROUND_TICKS:] = below[n_ticks + _AROUND_TICKS]
    return below[2 * _AROUND_TICKS + 1 :] > below[:n_ticks]


def _scores(one: SyncMeasures) -> Float16Array:
    return np.full((len(one), len(LAGS)), np.nan, dtype=np.float16) if one.scores is None else one.scores


def _speech(one: SyncMeasures) -> Float32Array:
    return np.zeros(len(one), dtype=np.float32) if one.speech_prob is None else one.speech_prob


def _flags(bits: npt.NDArray[np.generic], n_ticks: int) -> BoolArray:
    return np.unpackbits(np.asarray(bits, dtype=np.uint8), count=n_ticks).view(np.bool_)
