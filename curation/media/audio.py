"""The audio of a video as 16 kHz mono on the same zero as its ticks, placed by time stamps."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import takewhile
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from curation.media.container import best_audio_stream, best_video_stream, exact, open_media, packets
from curation.media.probe import VideoInfo
from foundation.array_types import Float32Array
from manifests.timeline import AUDIO_RATE_HZ, TICK_RATE_HZ

__all__ = ["FileAudio", "file_audio", "tick_audio", "tick_audio_pieces"]

_LEAD_S = Fraction(1)
"""Decoding begins this long before a window: codecs that build on earlier packets have settled by then."""

_TAIL_S = Fraction(1, 25)
"""Decoding continues this long after a window, so that the resampler's filter has both sides of its last sample."""

_MIXED_FORMAT, _MIXED_FULL_SCALE = "s32p", 2.0**31
"""Integers, because swresample then mixes channels to their mean; the sum of floats could exceed 1."""

_PIECE_TICKS = 4500
"""Length of a piece of a long audio: 3 minutes, 12 MB of samples."""

_JOINT_S = Fraction(1, 200)
"""Time stamps this close to where the audio before them ended continue it: Matroska rounds to 1 ms. Beyond, there is
silence between, or an overlap in which the later audio counts."""


def tick_audio(info: VideoInfo, first_tick: int, end_tick: int, rate_hz: int = AUDIO_RATE_HZ) -> Float32Array | None:
    """Return the audio of ticks [first_tick, end_tick).

    Channels are mixed down by swresample, normalised (stereo: the mean). Packets that do not decode, and times at
    which the track has no audio, are silence.

    Args:
        rate_hz: samples per second, a multiple of 25.

    Returns:
        ((end_tick - first_tick) * rate_hz / 25,) samples in -1 to 1, the first at `first_tick`; None where the file
        has no audio track.

    Raises:
        MediaError: `unreadable` where the file can no longer be opened.
        ValueError: the ticks are not within the video, or `rate_hz` does not divide into ticks.
    """
    if not 0 <= first_tick <= end_tick <= info.n_ticks:
        raise ValueError(f"ticks [{first_tick}, {end_tick}) are not within [0, {info.n_ticks}) of {info.path}")
    if rate_hz <= 0 or rate_hz % TICK_RATE_HZ:
        raise ValueError(f"rate_hz is {rate_hz}; give a multiple of {TICK_RATE_HZ}, such as {AUDIO_RATE_HZ}")
    if not info.has_audio:
        return None
    if info.parts:
        return _audio_of_parts(info, first_tick, end_tick, rate_hz)
    begin_s = first_tick / TICK_RATE_HZ
    mixed = np.zeros(int((end_tick - first_tick) * rate_hz / TICK_RATE_HZ), np.float32)
    zero_s = info.first_pts * info.time_base if info.stamps != "none" else Fraction(0)
    from_s = zero_s + begin_s - _LEAD_S if info.stamps != "none" else None
    until_s = end_tick / TICK_RATE_HZ + _TAIL_S
    frames = ((time_s - zero_s, frame) for time_s, frame in _frames(info.path, from_s, info))
    for start_s, samples in _runs(takewhile(lambda timed: timed[0] <= until_s, frames), rate_hz):
        _place(samples, round((start_s - begin_s) * rate_hz), mixed)
    return np.clip(mixed, -1.0, 1.0)


def _audio_of_parts(info: VideoInfo, first_tick: int, end_tick: int, rate_hz: int) -> Float32Array:
    """Return the audio of ticks of a file that holds several recordings, each placed by its own clock."""
    mixed = np.zeros(int((end_tick - first_tick) * rate_hz / TICK_RATE_HZ), np.float32)
    for part in info.parts:
        first, end = max(first_tick, part.first_tick), min(end_tick, part.end_tick)
        if first < end and part.info is not None:
            own = replace(part.info, path=info.path)
            samples = tick_audio(own, first - part.first_tick, end - part.first_tick, rate_hz)
            if samples is not None:
                _place(samples, int((first - first_tick) * rate_hz / TICK_RATE_HZ), mixed)
    return mixed


def tick_audio_pieces(info: VideoInfo, first_tick: int, end_tick: int) -> Iterator[Float32Array] | None:
    """Return the audio of ticks [first_tick, end_tick) as `tick_audio` does, in pieces of whole ticks that follow.

    However long the stretch, one piece of at most 3 minutes is in memory at a time. Of a file without time stamps all
    is one piece, for there every piece would be decoded from the start.

    Raises:
        MediaError: `unreadable` where the file can no longer be opened; raised when a piece is read.
    """
    if not info.has_audio:
        return None
    step = max(1, end_tick - first_tick) if info.stamps == "none" else _PIECE_TICKS
    pieces = (tick_audio(info, tick, min(tick + step, end_tick)) for tick in range(first_tick, end_tick, step))
    return (piece for piece in pieces if piece is not None)


@dataclass(frozen=True, kw_only=True, slots=True)
class FileAudio:
    """The complete audio of a file, with or without frames."""

    samples: Float32Array
    """(S,) mono in -1 to 1; the first is where the audio track begins."""
    duration_s: Fraction
    """Counted in the samples that the file holds, before they were resampled."""


def file_audio(path: Path, rate_hz: int = AUDIO_RATE_HZ) -> FileAudio | None:
    """Return the audio of a file from the beginning of its audio track to the end, mixed down as `tick_audio` does.

    Returns:
        None where the file has no audio track, or nothing of it can be decoded.

    Raises:
        MediaError: `unreadable` where the file cannot be opened.
    """
    end_s = Fraction(0)

    def from_zero() -> Iterator[tuple[Fraction, AudioFrame]]:
        nonlocal end_s
        zero_s: Fraction | None = None
        for time_s, frame in _frames(path, None):
            zero_s = time_s if zero_s is None else zero_s
            end_s = max(end_s, time_s - zero_s + Fraction(frame.samples, frame.rate))
            yield time_s - zero_s, frame

    runs = list(_runs(from_zero(), rate_hz))
    if not runs:
        return None
    mixed = np.zeros(round(end_s * rate_hz), np.float32)
    for start_s, samples in runs:
        _place(samples, round(start_s * rate_hz), mixed)
    return FileAudio(samples=np.clip(mixed, -1.0, 1.0), duration_s=end_s)


def _place(samples: Float32Array, at: int, mixed: Float32Array) -> None:
    """Copy `samples`, which begin at index `at` of `mixed`, as far as they lie within it."""
    first, end = max(0, at), min(len(mixed), at + len(samples))
    if first < end:
        mixed[first:end] = samples[first - at : end - at]


def _runs(frames: Iterable[tuple[Fraction, AudioFrame]], rate_hz: int) -> Iterator[tuple[Fraction, Float32Array]]:
    """Yield (start in seconds, samples at `rate_hz`), pieces of unbroken audio, for frames with their times."""
    run = _Run(rate_hz)
    for start_s, frame in frames:
        if not run.continues(start_s, frame):
            yield from run.finish()
            run = _Run(rate_hz)
        yield from run.add(start_s, frame)
    yield from run.finish()


def _frames(
    path: Path, from_s: Fraction | None, info: VideoInfo | None = None
) -> Iterator[tuple[Fraction, AudioFrame]]:
    """Decode the audio track; yield (time on the file's clock, frame), skipping damage.

    Args:
        path: the file.
        from_s: where about to begin, on the file's clock; None or before 0: at the start of the file.
        info: of the video whose audio it is; None: the audio of a file that need not hold a video.
    """
    with open_media(path, info.bytes_held if info else None) as container:
        stream = best_audio_stream(container, best_video_stream(container, path) if info else None)
        time_base = exact(stream.time_base) if stream else None
        if stream is None or time_base is None:
            return
        if from_s is not None and from_s > 0:
            container.seek(int(from_s / time_base), stream=stream)
        follow_s = (stream.start_time or 0) * time_base
        for packet in packets(container, stream):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                continue
            for frame in frames:
                if not isinstance(frame, AudioFrame) or not frame.samples or not frame.rate:
                    continue
                if frame.pts is not None and (frame_base := exact(frame.time_base)) is not None:
                    follow_s = frame.pts * frame_base
                yield follow_s, frame
                follow_s += Fraction(frame.samples, frame.rate)


class _Run:
    """Audio without a gap or a change of format, resampled as one signal."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._resampler: AudioResampler | None = None
        self._kind: tuple[str, str, int] | None = None
        self._start_s = Fraction(0)
        self._n_in = 0
        self._n_out = 0

    def continues(self, start_s: Fraction, frame: AudioFrame) -> bool:
        """Return whether `frame` follows without a gap; any frame may follow an empty run."""
        if self._kind is None:
            return True
        here_s = self._start_s + Fraction(self._n_in, self._kind[2])
        return self._kind == _kind(frame) and abs(start_s - here_s) <= _JOINT_S

    def add(self, start_s: Fraction, frame: AudioFrame) -> Iterator[tuple[Fraction, Float32Array]]:
        """Add the next frame; yield finished samples, with their time."""
        if self._resampler is None:
            self._kind = _kind(frame)
            self._resampler = AudioResampler(format=_MIXED_FORMAT, layout="mono", rate=self._rate_hz)
            # Silence back to the tick before: the run then begins on whole samples of both rates, and a window gives
            # the samples that a pass from the start gives.
            tick_s = Fraction(start_s * TICK_RATE_HZ // 1) / TICK_RATE_HZ
            n_silent = round((start_s - tick_s) * frame.rate)
            self._start_s = start_s - Fraction(n_silent, frame.rate)
            if n_silent:
                yield from self._resample(_silence_like(frame, n_silent))
        yield from self._resample(frame)

    def finish(self) -> Iterator[tuple[Fraction, Float32Array]]:
        """Yield the remaining samples of the resampler."""
        if self._resampler is not None:
            yield from self._resample(None)

    def _resample(self, frame: AudioFrame | None) -> Iterator[tuple[Fraction, Float32Array]]:
        if self._resampler is None:
            return
        if frame is not None:
            self._n_in += frame.samples
            frame.pts = None  # the samples are counted here; swresample would stretch them to rounded time stamps
        for piece in self._resampler.resample(frame):
            samples = (piece.to_ndarray()[0] / _MIXED_FULL_SCALE).astype(np.float32)
            yield self._start_s + Fraction(self._n_out, self._rate_hz), samples
            self._n_out += len(samples)


def _kind(frame: AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.rate


def _silence_like(frame: AudioFrame, n_samples: int) -> AudioFrame:
    silence = AudioFrame(format=frame.format.name, layout=frame.layout.name, samples=n_samples)
    for plane in silence.planes:
        # unsigned 8-bit audio rests at 128
        plane.update(bytes([128 if frame.format.name.startswith("u8") else 0]) * plane.buffer_size)
    silence.rate = frame.rate
    return silence
