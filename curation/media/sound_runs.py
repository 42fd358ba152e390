"""Decoded sound at another rate: stretches without a gap are resampled as one signal each, by swresample."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import cache

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from curation.media.channels import HEADROOM, surround_to_mono
from foundation.array_types import Float32Array, Float64Array
from manifests.timeline import TICK_RATE_HZ

__all__ = ["runs_of_sound"]

_MIXED_FORMAT, _MIXED_FULL_SCALE = "s32p", 2.0**31
"""Integers, because swresample then mixes channels to their mean; the sum of floats could exceed 1."""

_JOINT_S = Fraction(1, 200)
"""Time stamps this close to where the audio before them ended continue it: Matroska rounds to 1 ms. Beyond, there is
silence between, or an overlap in which the later audio counts."""

_TAPS, _PHASES = 32, 1024
"""Of the filter that shifts samples by a part of their distance: 60 dB below what it shifts, or less, up to 7 kHz."""

_SHIFTED_AT_ONCE = 16_000


def runs_of_sound(
    frames: Iterable[tuple[Fraction, AudioFrame]], rate_hz: int, *, follow: bool
) -> Iterator[tuple[Fraction, Float32Array]]:
    """Yield (start in seconds, samples at `rate_hz` of one channel), pieces of unbroken audio.

    Args:
        frames: with their times.
        rate_hz: samples per second of the result.
        follow: whether the rate follows the times within a stretch; else samples are as far apart as the track states,
            and only the first frame's time counts.
    """
    run = _Run(rate_hz, follow)
    for start_s, frame in frames:
        if not run.continues(start_s, frame):
            yield from run.finish()
            run = _Run(rate_hz, follow)
        yield from run.add(start_s, frame)
    yield from run.finish()


class _Run:
    """Audio without a gap or a change of format, resampled as one signal."""

    def __init__(self, rate_hz: int, follow: bool) -> None:
        self._rate_hz = rate_hz
        self._resampler: AudioResampler | None = None
        self._kind: tuple[str, str, int] | None = None
        self._scale = _MIXED_FULL_SCALE
        self._start_s = Fraction(0)
        self._n_in = 0
        self._n_out = 0
        self._follower = _Follower(rate_hz) if follow else None

    def continues(self, start_s: Fraction, frame: AudioFrame) -> bool:
        """Return whether `frame` follows without a gap; any frame may follow an empty run."""
        if self._kind is None:
            return True
        if self._follower is not None:
            here_s = self._follower.end_s
        else:
            here_s = self._start_s + Fraction(self._n_in, self._kind[2])
        return self._kind == _kind(frame) and abs(start_s - here_s) <= _JOINT_S

    def add(self, start_s: Fraction, frame: AudioFrame) -> Iterator[tuple[Fraction, Float32Array]]:
        """Add the next frame; yield finished samples, with their time."""
        if self._resampler is None:
            self._kind = _kind(frame)
            self._scale = _MIXED_FULL_SCALE / (HEADROOM if _is_surround(frame) else 1.0)
            self._resampler = AudioResampler(format=_MIXED_FORMAT, layout="mono", rate=self._rate_hz)
            self._start_s = start_s
            if self._follower is None:
                yield from self._pad(frame)
        if self._follower is not None:
            self._follower.mark(start_s, Fraction(frame.samples, frame.rate))
        yield from self._resample(frame)

    def finish(self) -> Iterator[tuple[Fraction, Float32Array]]:
        """Yield the remaining samples."""
        if self._resampler is not None:
            yield from self._resample(None)
        if self._follower is not None:
            yield from self._follower.finish()

    def _pad(self, frame: AudioFrame) -> Iterator[tuple[Fraction, Float32Array]]:
        # Silence back to the tick before: the run then begins on whole samples of both rates, and a window gives
        # the samples that a pass from the start gives.
        tick_s = Fraction(self._start_s * TICK_RATE_HZ // 1) / TICK_RATE_HZ
        n_silent = round((self._start_s - tick_s) * frame.rate)
        self._start_s -= Fraction(n_silent, frame.rate)
        if n_silent:
            yield from self._resample(_silence_like(frame, n_silent))

    def _resample(self, frame: AudioFrame | None) -> Iterator[tuple[Fraction, Float32Array]]:
        if self._resampler is None:
            return
        if frame is not None:
            self._n_in += frame.samples
            if _is_surround(frame):
                frame = surround_to_mono(frame)
            frame.pts = None  # the samples are counted here; swresample would stretch them to rounded time stamps
        for piece in self._resampler.resample(frame):
            samples = (piece.to_ndarray()[0] / self._scale).astype(np.float32)
            if self._follower is not None:
                self._follower.samples.append(samples)
            else:
                yield self._start_s + Fraction(self._n_out, self._rate_hz), samples
            self._n_out += len(samples)


class _Follower:
    """Audio whose rate follows the times of its frames; it is held until the run ends."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self.samples: list[Float32Array] = []
        """At even distances, by the rate that the track states."""
        self._held_s: list[Fraction] = [Fraction(0)]
        self._times_s: list[Fraction] = []
        self.end_s = Fraction(0)
        """Where the audio so far ends."""

    def mark(self, start_s: Fraction, length_s: Fraction) -> None:
        """Note when the next frame begins, and how much audio it holds."""
        self._times_s.append(start_s)
        self._held_s.append(self._held_s[-1] + length_s)
        self.end_s = start_s + length_s

    def finish(self) -> Iterator[tuple[Fraction, Float32Array]]:
        """Yield the samples at their times."""
        if not self.samples:
            return
        even = np.pad(np.concatenate(self.samples), _TAPS)
        times_s = np.array([*self._times_s, self.end_s], np.float64)
        held_s = np.array(self._held_s, np.float64)
        first, end = int(np.ceil(times_s[0] * self._rate_hz)), int(np.ceil(times_s[-1] * self._rate_hz))
        for begin in range(first, end, _SHIFTED_AT_ONCE):
            at_s = np.arange(begin, min(begin + _SHIFTED_AT_ONCE, end)) / self._rate_hz
            yield Fraction(begin, self._rate_hz), _between(even, np.interp(at_s, times_s, held_s) * self._rate_hz)


def _between(padded: Float32Array, places: Float64Array) -> Float32Array:
    """Return the signal at `places`, numbers of samples that need not be whole.

    Args:
        padded: (S,) samples with `_TAPS` zeros before and after.
        places: (N,) in 0 to S - 2 `_TAPS`.
    """
    half = _TAPS // 2
    fine = np.rint(places * _PHASES).astype(np.int64)
    whole, phase = fine // _PHASES, fine % _PHASES
    windows = np.lib.stride_tricks.sliding_window_view(padded, _TAPS)[
        np.clip(whole + _TAPS - half + 1, 0, len(padded) - _TAPS)
    ]
    shifted: Float32Array = np.einsum("nt,nt->n", windows, _filters()[phase])
    return shifted


@cache
def _filters() -> Float32Array:
    """Return the (_PHASES, _TAPS) filters: sinc functions under a Kaiser window, one for each part of a sample."""
    distance = np.arange(_TAPS) - _TAPS // 2 + 1 - np.arange(_PHASES)[:, None] / _PHASES
    inside = np.clip(1.0 - np.square(distance / (_TAPS // 2)), 0.0, 1.0)
    filters: Float32Array = (np.sinc(distance) * np.i0(8.0 * np.sqrt(inside)) / np.i0(8.0)).astype(np.float32)
    return filters


def _is_surround(frame: AudioFrame) -> bool:
    return frame.layout.nb_channels > 2


def _kind(frame: AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.rate


def _silence_like(frame: AudioFrame, n_samples: int) -> AudioFrame:
    silence = AudioFrame(format=frame.format.name, layout=frame.layout.name, samples=n_samples)
    for plane in silence.planes:
        # unsigned 8-bit audio rests at 128
        plane.update(bytes([128 if frame.format.name.startswith("u8") else 0]) * plane.buffer_size)
    silence.rate = frame.rate
    return silence
