"""Codes of short stretches of a trace: 24 bits that copies share, by which they are found without comparing all.

A code belongs to an anchor, a moment at which the trace is at its strongest nearby, so that two uploads have theirs at
the same moments, wherever they begin. Each bit is the sign of the trace there against a slow wave: of 12 waves for the
sound, of 4 for each signal of the face. Signs survive another encoding, except where the value is next to 0; so a code
is looked up with its least certain bits flipped, too (J. Haitsma, T. Kalker: A highly robust audio fingerprinting
system, ISMIR 2002). The bits of the signals that a mirror turns round are flipped as a whole. A faster or slower upload
is looked up with stretches of the length that they would have.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from curation.duplicates.traces import MIRRORED, N_SIGNALS, TRACE_UNIT, Trace
from foundation.array_types import Float64Array, Int32Array, Int64Array, UInt8Array

__all__ = ["CODE_BITS", "MIRROR_BITS", "Codes", "face_codes", "sound_codes"]

CODE_BITS = 24

_FACE_REACH, _SOUND_REACH = 25, 40
"""Ticks from an anchor to either end of its stretch: 1 s and 1.6 s."""

_LEAST_SEEN = 0.9
"""Share of a stretch in which the face has to be seen."""

_SINGLE_FLIPS, _DOUBLE_FLIPS = 10, 5
"""Of so many of the least certain bits one is flipped, of so many two. Ours: with it 18 of 20 codes of the sound are
found in other encodings, and one of two of the face."""


def _waves(reach: int, numbers: range) -> Float64Array:
    """Return (2 per number, 2 * reach + 1) sines and cosines under a Hann window, without a mean."""
    phase = 2.0 * np.pi * np.arange(-reach, reach + 1) / (2 * reach + 1)
    window = np.hanning(2 * reach + 3)[1:-1]
    waves = np.array([window * wave(number * phase) for number in numbers for wave in (np.cos, np.sin)])
    without_mean: Float64Array = waves - waves.sum(axis=1, keepdims=True) / window.sum() * window
    return without_mean


_FACE_WAVES, _SOUND_WAVES = _waves(_FACE_REACH, range(1, 3)), _waves(_SOUND_REACH, range(1, 13))

MIRROR_BITS = int(sum(1 << bit for bit, sign in enumerate(np.repeat(MIRRORED, len(_FACE_WAVES))) if sign < 0))
"""Bits of the code of a face that differ in a mirrored picture."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Codes:
    """Codes of a number of anchors, in 18 bytes each."""

    tick: Int32Array
    """(A,) row of the trace at which an anchor is."""
    bits: Int32Array
    """(A,) the codes."""
    doubtful: UInt8Array
    """(A, 10) numbers of the bits that are the least certain, the least certain first."""

    def __len__(self) -> int:
        return len(self.tick)

    @classmethod
    def joined(cls, codes: Sequence["Codes"]) -> "Codes":
        """Return the codes of several videos, one after the other."""
        return cls(
            tick=np.concatenate([np.zeros(0, np.int32), *(one.tick for one in codes)]),
            bits=np.concatenate([np.zeros(0, np.int32), *(one.bits for one in codes)]),
            doubtful=np.concatenate([np.zeros((0, _SINGLE_FLIPS), np.uint8), *(one.doubtful for one in codes)]),
        )

    def probes(self) -> Int32Array:
        """Return (A, 21) codes under which the anchors' partners may be: the own ones, and those with flipped bits."""
        powers = np.int32(1) << self.doubtful.astype(np.int32)
        flips = [np.zeros(len(self), dtype=np.int32), *powers.T]
        flips += [powers[:, one] | powers[:, other] for one, other in combinations(range(_DOUBLE_FLIPS), 2)]
        probes: Int32Array = self.bits[:, None] ^ np.stack(flips, axis=1)
        return probes


def face_codes(trace: Trace) -> Codes:
    """Return the codes of how the face moves."""
    from scipy.ndimage import gaussian_filter1d

    signals = trace.face * TRACE_UNIT
    anchors = _anchors(gaussian_filter1d((signals**2).sum(axis=1), 3.0), _FACE_REACH)
    seen = np.concatenate([[0], np.cumsum(trace.seen)])
    n_seen = seen[anchors + _FACE_REACH + 1] - seen[anchors - _FACE_REACH]
    anchors = anchors[n_seen >= _LEAST_SEEN * (2 * _FACE_REACH + 1)]
    stretches = signals[anchors[:, None] + np.arange(-_FACE_REACH, _FACE_REACH + 1)]
    projections = np.einsum("atk,wt->akw", stretches, _FACE_WAVES, optimize=True)
    return _codes(anchors, projections.reshape(len(anchors), N_SIGNALS * len(_FACE_WAVES)))


def sound_codes(trace: Trace, speed: float = 1.0) -> Codes:
    """Return the codes of the loudness.

    Args:
        trace: of a video.
        speed: of the upload that is looked for, relative to this one; its stretches are shorter by as much.
    """
    from scipy.ndimage import gaussian_filter1d

    signal = trace.sound * TRACE_UNIT
    anchors = _anchors(gaussian_filter1d(signal, 2.0), int(np.ceil(_SOUND_REACH * speed)))
    ticks = anchors[:, None] + np.arange(-_SOUND_REACH, _SOUND_REACH + 1) * speed
    stretches = np.interp(ticks.reshape(-1), np.arange(len(signal)), signal).reshape(ticks.shape)
    return _codes(anchors, stretches @ _SOUND_WAVES.T)


def _codes(ticks: Int64Array, projections: Float64Array) -> Codes:
    """Return codes whose bits are the signs of (A, 24) projections."""
    powers = 1 << np.arange(projections.shape[1], dtype=np.int32)
    doubtful = np.argsort(np.abs(projections), axis=1, kind="stable")[:, :_SINGLE_FLIPS]
    bits = (projections > 0).astype(np.int32) @ powers
    return Codes(tick=ticks.astype(np.int32), bits=bits.astype(np.int32), doubtful=doubtful.astype(np.uint8))


def _anchors(strength: Float64Array, reach: int) -> Int64Array:
    """Return the ticks at which a strength is the largest nearby, as far from both ends as a stretch reaches."""
    inner = strength[1:-1]
    ticks = np.flatnonzero((inner > strength[:-2]) & (inner >= strength[2:]) & (inner > 0.0)) + 1
    return np.asarray(ticks[(ticks >= reach) & (ticks < len(strength) - reach)], dtype=np.int64)
