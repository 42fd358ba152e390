"""Choice of the audio track that speaks, once per file: a recorder may store a silent track before the microphone's."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from curation.media.audio import file_audio, tick_audio
from curation.media.probe import VideoInfo
from curation.media.settings import DEFAULT_MEDIA_SETTINGS, MediaSettings
from curation.media.sound_track import SoundTracks
from curation.perception.voice import SileroVoice
from foundation.array_types import Float32Array
from manifests.timeline import SAMPLES_PER_TICK

__all__ = ["heard_by_number", "speaking_file_track", "with_heard_track"]

_EXCERPTS, _EXCERPT_TICKS = 6, 250
"""Looked at of a video: six times 10 s, evenly over its length; all of one that is shorter."""

_SPEECH_PROB = 0.5
"""A tick at least as likely is speech; Silero VAD's own limit."""

_ENOUGH = 0.5
"""The track that the file itself prefers stays, if it speaks at least this part of the time that another one does: of
two languages, or a mix and its parts, the file's own choice counts."""


def with_heard_track(
    info: VideoInfo, voice: SileroVoice, settings: MediaSettings = DEFAULT_MEDIA_SETTINGS
) -> VideoInfo:
    """Return a video with the audio track that `media.audio_track` names; for `auto`, the one that speaks.

    A number that the file does not have is taken as `auto`. Costs nothing where there is one track.

    Raises:
        MediaError: the file cannot be opened.
    """
    sound = info.sound
    if sound is None or len(sound.tracks) == 1:
        return info
    if settings.audio_track != "auto" and int(settings.audio_track) <= len(sound.tracks):
        return heard_by_number(info, int(settings.audio_track))
    shares = []
    for number in range(1, len(sound.tracks) + 1):
        one = heard_by_number(info, number)
        heard = [tick_audio(one, first, end) for first, end in _excerpts(info.n_ticks)]
        shares.append(_speaking([piece for piece in heard if piece is not None], voice))
    return heard_by_number(info, _chosen(shares, sound.number))


def heard_by_number(info: VideoInfo, number: int) -> VideoInfo:
    """Return a video with the audio track of a number, in each of its recordings that has so many."""
    if info.sound is None or number > len(info.sound.tracks):
        return info
    parts = (
        part if part.info is None else replace(part, info=heard_by_number(part.info, number)) for part in info.parts
    )
    return replace(info, sound=info.sound.with_number(number), parts=tuple(parts))


def speaking_file_track(path: Path, sound: SoundTracks) -> SoundTracks:
    """Return the tracks of a sound file with the one to be heard that speaks.

    Raises:
        MediaError: the file cannot be opened.
        FileNotFoundError: there are several tracks, and the package of the voice detector is missing.
    """
    if len(sound.tracks) == 1:
        return sound
    voice = SileroVoice()
    heard = (file_audio(path, track) for track in sound.tracks)  # one in memory at a time
    shares = [_speaking([] if audio is None else [audio.samples], voice) for audio in heard]
    return sound.with_number(_chosen(shares, sound.number))


def _excerpts(n_ticks: int) -> list[tuple[int, int]]:
    if n_ticks <= _EXCERPTS * _EXCERPT_TICKS:
        return [(0, n_ticks)]
    firsts = np.linspace(0, n_ticks - _EXCERPT_TICKS, _EXCERPTS).astype(int).tolist()
    return [(first, first + _EXCERPT_TICKS) for first in firsts]


def _speaking(pieces: Sequence[Float32Array], voice: SileroVoice) -> int:
    """Return the number of ticks with speech."""
    return sum(
        int(np.count_nonzero(voice([piece], len(piece) // SAMPLES_PER_TICK) >= _SPEECH_PROB)) for piece in pieces
    )


def _chosen(speaking: Sequence[int], preferred: int) -> int:
    """Return the number of a track by how much each speaks."""
    most = max(speaking)
    return preferred if speaking[preferred - 1] >= _ENOUGH * most else speaking.index(most) + 1
