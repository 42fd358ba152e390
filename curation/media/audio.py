"""The audio of a video as 16 kHz mono on the same zero as its ticks, placed by time stamps."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import takewhile
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer

from curation.media.channels import BLOCK_S, in_phase
from curation.media.container import audio_streams_of, exact, open_media, packets
from curation.media.errors import MediaError
from curation.media.packets.byte_ranges import ByteRange
from curation.media.probe import VideoInfo
from curation.media.sound_runs import runs_of_sound
from curation.media.sound_track import SoundScan, SoundTrack, SoundTracks
from foundation.array_types import Float32Array
from manifests.timeline import AUDIO_RATE_HZ, TICK_RATE_HZ

__all__ = ["LONGEST_FILE_S", "FileAudio", "file_audio", "sound_tracks", "tick_audio", "tick_audio_pieces"]

_LEAD_S = Fraction(1)
"""Decoding begins this long before a window: codecs that build on earlier packets have settled by then."""

_TAIL_S = Fraction(1, 25)
"""Decoding continues this long after a window, so that the resampler's filter has both sides of its last sample."""

_PIECE_TICKS = 4500
"""Length of a piece of a long audio: 3 minutes, 12 MB of samples."""

_PLAUSIBLE_RATES_HZ = range(1000, 768_001)
"""Samples per second that a track may have. Beyond, its header is damaged: what it holds would become days of sound, or
a filter of gigabytes."""

LONGEST_FILE_S = 1800
"""Longest sound of a file that is taken as a whole, seconds: it takes 0.7 GB at 48 kHz while it is read. Silence of
days is packed into megabytes."""

_LONGEST_SILENCE_S = 3600
"""A file without pictures whose sound stops for longer has damaged time stamps."""

_ROUNDING_UNITS = Fraction(3, 2)
"""A track ends where its file says, unless the samples go on for no more than this: units of its time base, in which
the end is rounded."""


def tick_audio(info: VideoInfo, first_tick: int, end_tick: int, rate_hz: int = AUDIO_RATE_HZ) -> Float32Array | None:
    """Return the audio of ticks [first_tick, end_tick).

    Two channels are mixed down by swresample, to their mean; `channels` has what becomes of others, and of a channel
    that is upside down. Packets that do not decode, and times at which the track has no audio, are silence. Time stamps
    that wobble or drift are followed slowly, as `sound_stamps` says.

    Args:
        rate_hz: samples per second, a multiple of 25.

    Returns:
        ((end_tick - first_tick) * rate_hz / 25,) samples in -1 to 1, the first at `first_tick`; beyond 1 only where
        surround channels add up. None where the file has no audio track.

    Raises:
        MediaError: `unreadable` where the file can no longer be opened.
        ValueError: the ticks are not within the video, or `rate_hz` does not divide into ticks.
    """
    if not 0 <= first_tick <= end_tick <= info.n_ticks:
        raise ValueError(f"ticks [{first_tick}, {end_tick}) are not within [0, {info.n_ticks}) of {info.path}")
    if rate_hz <= 0 or rate_hz % TICK_RATE_HZ:
        raise ValueError(f"rate_hz is {rate_hz}; give a multiple of {TICK_RATE_HZ}, such as {AUDIO_RATE_HZ}")
    if info.sound is None:
        return None
    if info.parts:
        return _audio_of_parts(info, first_tick, end_tick, rate_hz)
    begin_s = first_tick / TICK_RATE_HZ
    mixed = np.zeros(int((end_tick - first_tick) * rate_hz / TICK_RATE_HZ), np.float32)
    track = info.sound.heard
    zero_s = info.first_pts * info.time_base if info.stamps != "none" else Fraction(0)
    from_s = zero_s + begin_s - _LEAD_S if info.stamps != "none" else None
    until_s = end_tick / TICK_RATE_HZ + _TAIL_S
    frames = ((time_s - zero_s, frame) for time_s, frame in _frames(info.path, track, from_s, info.bytes_held))
    heard = takewhile(lambda timed: timed[0] <= until_s, frames)
    for start_s, samples in runs_of_sound(heard, rate_hz, follow=track.offsets is not None):
        _place(samples, round((start_s - begin_s) * rate_hz), mixed)
    return mixed


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
    """Counted in the samples that the file holds, before they were resampled, less what its codec added at the ends."""


def sound_tracks(path: Path) -> SoundTracks | None:
    """Return the audio tracks of a file, with or without frames; None where it has none. Reads all its packets.

    Raises:
        MediaError: `unreadable` where the file cannot be opened.
    """
    with open_media(path) as container:
        streams = audio_streams_of(container, None)
        scan = SoundScan(container, streams)
        for packet in packets(container, *streams) if streams else ():
            scan.add(packet)
        return scan.tracks()


def file_audio(path: Path, track: SoundTrack, rate_hz: int = AUDIO_RATE_HZ) -> FileAudio | None:
    """Return the audio of a file from the beginning of an audio track to the end, mixed down as `tick_audio` does.

    Returns:
        None where nothing of it can be decoded.

    Raises:
        MediaError: `unreadable` where the file cannot be opened, its time stamps leave out more than an hour, or it is
            longer than `LONGEST_FILE_S`.
    """
    end_s = Fraction(0)

    def from_zero() -> Iterator[tuple[Fraction, AudioFrame]]:
        nonlocal end_s
        zero_s: Fraction | None = None
        for time_s, frame in _frames(path, track, None):
            zero_s = time_s if zero_s is None else zero_s
            if time_s - zero_s > end_s + _LONGEST_SILENCE_S:
                silent_s = float(time_s - zero_s - end_s)
                raise MediaError(
                    "unreadable", f"{path}: its sound stops for {silent_s / 3600:.1f} hours; mend its time stamps"
                )
            end_s = max(end_s, time_s - zero_s + Fraction(frame.samples, frame.rate))
            if end_s > LONGEST_FILE_S:
                raise MediaError("unreadable", f"{path}: it has more than {LONGEST_FILE_S // 60} minutes; cut it there")
            yield time_s - zero_s, frame

    runs = list(runs_of_sound(from_zero(), rate_hz, follow=track.offsets is not None))
    if not runs:
        return None
    mixed = np.zeros(round(end_s * rate_hz), np.float32)
    for start_s, samples in runs:
        _place(samples, round(start_s * rate_hz), mixed)
    return FileAudio(samples=mixed, duration_s=end_s)


def _place(samples: Float32Array, at: int, mixed: Float32Array) -> None:
    """Copy `samples`, which begin at index `at` of `mixed`, as far as they lie within it."""
    first, end = max(0, at), min(len(mixed), at + len(samples))
    if first < end:
        mixed[first:end] = samples[first - at : end - at]


def _frames(
    path: Path, track: SoundTrack, from_s: Fraction | None, held: ByteRange | None = None
) -> Iterator[tuple[Fraction, AudioFrame]]:
    """Decode an audio track; yield (time on the file's clock, frame), skipping damage.

    Args:
        path: the file.
        track: of the file.
        from_s: where about to begin, on the file's clock; None or before 0: at the start of the file.
        held: the bytes of the file that hold the recording; None: all.
    """
    with open_media(path, held) as container:
        stream = container.streams[track.stream]
        if not isinstance(stream, AudioStream):
            raise MediaError("unreadable", f"{path}: stream {track.stream} was audio when probed, and is not now")
        if from_s is not None and stream.layout.nb_channels == 2:
            from_s = Fraction(from_s // BLOCK_S - 1) * BLOCK_S
        yield from in_phase(_decoded(container, stream, track, from_s))


def _decoded(
    container: InputContainer, stream: AudioStream, track: SoundTrack, from_s: Fraction | None
) -> Iterator[tuple[Fraction, AudioFrame]]:
    time_base = exact(stream.time_base)
    if time_base is None:
        return
    if from_s is not None and from_s > 0:
        with suppress(av.FFmpegError, OverflowError):  # as `frames` does: without an index, from the start
            container.seek(int(from_s / time_base), stream=stream)
    follow_s = (stream.start_time or 0) * time_base
    before, n_same = None, 0
    for packet in packets(container, stream):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            continue
        for frame in frames:
            if not isinstance(frame, AudioFrame) or not frame.samples or frame.rate not in _PLAUSIBLE_RATES_HZ:
                continue
            kept: AudioFrame | None = frame
            if frame.pts is not None and (frame_base := exact(frame.time_base)) is not None:
                follow_s = frame.pts * frame_base
                kept = _within(frame, track, time_base)
                if track.offsets is not None:
                    n_same = n_same + 1 if frame.pts == before else 0
                    follow_s += Fraction(track.offsets.at(frame.pts, n_same), 1_000_000)
                    before = frame.pts
            if kept is not None:
                yield follow_s, kept
            follow_s += Fraction(frame.samples, frame.rate)


def _within(frame: AudioFrame, track: SoundTrack, time_base: Fraction) -> AudioFrame | None:
    """Return the last frame of a track cut at the track's end, None where nothing is left; others as they are."""
    if frame.pts is None or track.last_pts is None or track.end_pts is None or frame.pts < track.last_pts:
        return frame
    left_s = (track.end_pts - frame.pts) * time_base
    if Fraction(frame.samples, frame.rate) - left_s <= _ROUNDING_UNITS * time_base:
        return frame
    n_samples = round(left_s * frame.rate)
    return _first_samples(frame, n_samples) if n_samples > 0 else None


def _first_samples(frame: AudioFrame, n_samples: int) -> AudioFrame:
    stored = frame.to_ndarray()
    width = n_samples * (1 if frame.format.is_planar else frame.layout.nb_channels)
    cut = AudioFrame.from_ndarray(stored[:, :width].copy(), format=frame.format.name, layout=frame.layout.name)
    cut.rate = frame.rate
    return cut
