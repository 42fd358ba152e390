"""Channels of sound on their way to one: surround is mixed by ITU-R BS.775, a channel upside down is turned over."""

from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np
from av.audio.frame import AudioFrame

from foundation.array_types import Float32Array, Float64Array

__all__ = ["BLOCK_S", "HEADROOM", "in_phase", "surround_to_mono", "within_full_scale"]

BLOCK_S = 1
"""Whether the channels of a pair cancel is decided for each second of the file's clock, by that second and its two
neighbours, so that a window of a video is decided as the whole is."""

_CANCELLED = -0.8
"""Correlation of a pair below which one channel is upside down: the mean is then over 10 dB below either channel."""

_LEAST_POWER = 1e-8
"""Mean square below which a second is silent, -80 dBFS."""

HEADROOM = 8.0
"""Surround is mixed at 1/8 of its level, because the channels add up to more than full scale where they are alike."""

_TO_MONO = {"FC": 1.0, "LFE": 0.0, "LFE2": 0.0} | dict.fromkeys(("BL", "BR", "SL", "SR"), 0.5)

_UNNAMED = {6: ["FL", "FR", "FC", "LFE", "BL", "BR"], 8: ["FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"]}

_OTHERS_TO_MONO = 0.5**0.5
"""Left and right, and one surround channel alone (ITU-R BS.775-4, table 2, downmix to 1/0)."""


def surround_to_mono(frame: AudioFrame) -> AudioFrame:
    """Mix more than two channels into one float channel at 1/8 of the level.

    The centre, where dialogue is, keeps its level, so that a film with nothing else is as loud as mono. Left and right
    come 3 dB lower, a pair of surround channels 6 dB, the bass channel not at all. Six or eight channels without names
    are 5.1 and 7.1 in the order of WAV; others, such as those of several microphones, are mixed to their mean.
    """
    names = [channel.name for channel in frame.layout.channels]
    if set(names) == {"NONE"}:
        names = _UNNAMED.get(len(names), names)
    named = set(names) != {"NONE"}
    gains = [_TO_MONO.get(name, _OTHERS_TO_MONO) if named else 1.0 / len(names) for name in names]
    mixed = np.array(gains) @ _channels(frame) / HEADROOM
    mono = AudioFrame.from_ndarray(mixed.astype(np.float32)[None], format="fltp", layout="mono")
    mono.rate = frame.rate
    return mono


def within_full_scale(samples: Float32Array) -> Float32Array:
    """Return (S,) samples lowered until none is beyond 1; others as they are."""
    peak = float(np.abs(samples).max(initial=0.0))
    return samples if peak <= 1.0 else (samples / peak).astype(np.float32)


def in_phase(frames: Iterable[tuple[Fraction, AudioFrame]]) -> Iterator[tuple[Fraction, AudioFrame]]:
    """Yield frames with the right channel turned over where it cancels the left one, as a miswired microphone's does.

    Args:
        frames: (time on the file's clock, frame).
    """
    pairs = _Pairs()
    for time_s, frame in frames:
        if frame.layout.nb_channels == 2:
            yield from pairs.add(time_s, frame)
        else:
            yield from pairs.finish()
            yield time_s, frame
    yield from pairs.finish()


class _Pairs:
    """Frames of two channels that wait until their second and the next have been heard."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, Fraction, AudioFrame]] = deque()
        self._products: dict[int, Float64Array] = {}
        self._newest: int | None = None
        self._decided: int | None = None
        """The second that `_sign` is about."""
        self._sign: float | None = None

    def add(self, time_s: Fraction, frame: AudioFrame) -> Iterator[tuple[Fraction, AudioFrame]]:
        """Add a frame; yield those that need not wait any more."""
        block = int(time_s // BLOCK_S)
        self._products[block] = self._products.get(block, np.zeros(3)) + _products(frame)
        self._waiting.append((block, time_s, frame))
        self._newest = block if self._newest is None else max(self._newest, block)
        while self._waiting and self._waiting[0][0] + 1 < self._newest:
            yield self._next()

    def finish(self) -> Iterator[tuple[Fraction, AudioFrame]]:
        """Yield all that wait."""
        while self._waiting:
            yield self._next()

    def _next(self) -> tuple[Fraction, AudioFrame]:
        block, time_s, frame = self._waiting.popleft()
        before = self._sign
        if block != self._decided:
            self._decided, self._sign = block, _sign(self._products, block)
        sign = self._sign or 1.0
        before = sign if before is None else before
        return time_s, frame if before == sign == 1.0 else _turned(frame, before, sign)


def _products(frame: AudioFrame) -> Float64Array:
    """Return sum of left times right, half the sum of both squares, and the number of samples."""
    samples = frame.to_ndarray()
    if samples.dtype != np.float32:
        samples = _channels(frame)
    elif not frame.format.is_planar:
        samples = samples.reshape(-1, 2).T
    left, right = samples
    return np.array([left @ right, (left @ left + right @ right) / 2, len(left)], np.float64)


def _sign(blocks: dict[int, Float64Array], block: int) -> float:
    around = sum((blocks[near] for near in (block - 1, block, block + 1) if near in blocks), np.zeros(3))
    crossed, power, n_samples = around
    return -1.0 if power > _LEAST_POWER * n_samples and crossed < _CANCELLED * power else 1.0


def _turned(frame: AudioFrame, before: float, sign: float) -> AudioFrame:
    """Return a pair with its right channel times `sign`, coming from `before` over the length of the frame."""
    samples = frame.to_ndarray()
    right = samples[1] if frame.format.is_planar else samples[0, 1::2]
    rest = 128 if samples.dtype == np.uint8 else 0
    turned = (right.astype(np.float64) - rest) * np.linspace(before, sign, len(right)) + rest
    if np.issubdtype(samples.dtype, np.integer):
        half = 2.0 ** (8 * samples.dtype.itemsize - 1)
        turned = np.clip(np.rint(turned), rest - half, rest + half - 1)
    right[:] = turned.astype(samples.dtype)
    result = AudioFrame.from_ndarray(samples, format=frame.format.name, layout=frame.layout.name)
    result.rate = frame.rate
    return result


def _channels(frame: AudioFrame) -> Float64Array:
    """Return (C, S) samples in -1 to 1."""
    stored = frame.to_ndarray()
    samples = stored.astype(np.float64)
    if stored.dtype == np.uint8:
        samples = (samples - 128) / 128
    elif np.issubdtype(stored.dtype, np.integer):
        samples /= 2.0 ** (8 * stored.dtype.itemsize - 1)
    return samples if frame.format.is_planar else samples.reshape(-1, frame.layout.nb_channels).T
