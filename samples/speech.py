"""The voice of the sample: eSpeak NG's samples of a sentence, and the mouth shapes of its phonemes."""

import ctypes
from dataclasses import dataclass
from functools import cache

import espeakng_loader
import numpy as np
import numpy.typing as npt

__all__ = ["SPEECH_RATE_HZ", "TICK_SAMPLES", "Utterance", "room_tone", "say"]

Floats = npt.NDArray[np.float64]

SPEECH_RATE_HZ = 22_050
TICK_SAMPLES = SPEECH_RATE_HZ // 25
"""Samples per tick of 1/25 s: 882, a whole number."""

_VOICE = b"en-us+f4"
"""A voice in which Silero VAD detects speech almost throughout (mean probability 0.96)."""
_WORDS_PER_MINUTE, _PITCH, _PITCH_RANGE = 165, 62, 60
_LEAD_S, _TAIL_S = 0.06, 0.10
"""Quiet before and after a sentence, so that no pause reaches half a second."""

_SYNCHRONOUS, _PHONEME_EVENTS, _PHONEME_EVENT, _UTF8 = 2, 1, 7, 1
_RATE_PARAMETER, _PITCH_PARAMETER, _RANGE_PARAMETER = 1, 3, 4

_MOUTH_SHAPES: dict[str, tuple[float, float]] = {
    "m": (0.0, 0.1), "b": (0.0, 0.1), "p": (0.0, 0.1), "f": (0.14, 0.05), "v": (0.14, 0.05), "w": (0.25, 0.95),
    "r": (0.32, 0.5), "l": (0.45, 0.1), "D": (0.36, 0.1), "T": (0.36, 0.1), "S": (0.30, 0.6), "Z": (0.30, 0.6),
    "s": (0.26, 0.0), "z": (0.26, 0.0), "t": (0.30, 0.0), "d": (0.32, 0.0), "n": (0.34, 0.0), "N": (0.38, 0.1),
    "k": (0.40, 0.1), "g": (0.40, 0.1), "h": (0.55, 0.1), "j": (0.35, 0.0), "a": (0.95, 0.0), "A": (1.00, 0.1),
    "0": (0.90, 0.3), "V": (0.80, 0.1), "E": (0.72, 0.0), "e": (0.66, 0.0), "3": (0.55, 0.4), "O": (0.82, 0.7),
    "o": (0.70, 0.8), "u": (0.36, 1.0), "U": (0.42, 0.8), "i": (0.44, 0.0), "I": (0.48, 0.0), "@": (0.52, 0.1),
    "_": (0.12, 0.0),
}  # fmt: skip
"""Opening of the mouth and rounding of the lips, 0 to 1, by the first letter of an eSpeak phoneme name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Utterance:
    """Audio of a whole number of ticks, with the mouth shape of each."""

    samples: Floats
    """(n_ticks * TICK_SAMPLES,) in -1 to 1."""
    opening: Floats
    """(n_ticks,) 0 for closed lips to 1 for the widest vowel."""
    rounding: Floats
    """(n_ticks,) 0 for the lips' full width to 1 for the narrowest."""


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int), ("unique_identifier", ctypes.c_uint), ("text_position", ctypes.c_int),
        ("length", ctypes.c_int), ("audio_position_ms", ctypes.c_int), ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p), ("id", _EventId),
    )  # fmt: skip


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@cache
def _engine() -> ctypes.CDLL:
    """Load eSpeak NG once per process and set its voice."""
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    data_path = espeakng_loader.get_data_path().encode()
    rate_hz = library.espeak_Initialize(_SYNCHRONOUS, 0, data_path, _PHONEME_EVENTS)
    if rate_hz != SPEECH_RATE_HZ:
        raise RuntimeError(f"eSpeak NG started with {rate_hz} Hz, not {SPEECH_RATE_HZ}; is its data at {data_path!r}?")
    if library.espeak_SetVoiceByName(_VOICE) != 0:
        raise RuntimeError(f"eSpeak NG has no voice {_VOICE!r}; reinstall espeakng-loader")
    library.espeak_SetParameter(_RATE_PARAMETER, _WORDS_PER_MINUTE, 0)
    library.espeak_SetParameter(_PITCH_PARAMETER, _PITCH, 0)
    library.espeak_SetParameter(_RANGE_PARAMETER, _PITCH_RANGE, 0)
    return library


def _synthesize(text: str) -> tuple[Floats, list[tuple[float, str]]]:
    """Return the samples of `text` and its phonemes with the second at which each begins."""
    blocks: list[npt.NDArray[np.int16]] = []
    phonemes: list[tuple[float, str]] = []

    def receive(wave: "ctypes._Pointer[ctypes.c_short]", n_samples: int, events: "ctypes._Pointer[_Event]") -> int:
        if wave and n_samples > 0:
            blocks.append(np.ctypeslib.as_array(wave, (n_samples,)).copy())
        position = 0
        while events[position].type != 0:
            event = events[position]
            if event.type == _PHONEME_EVENT:
                name = bytes(event.id.string).split(b"\0")[0].decode("utf-8", "replace")
                phonemes.append((event.audio_position_ms / 1000.0, name))
            position += 1
        return 0

    callback = _Callback(receive)
    library = _engine()
    library.espeak_SetSynthCallback(callback)
    encoded = text.encode()
    library.espeak_Synth(encoded, len(encoded) + 1, 0, 1, 0, _UTF8, None, None)
    return np.concatenate(blocks) / 32768.0, phonemes


def say(text: str) -> Utterance:
    """Return `text` spoken, with a short silence before and after it."""
    samples, phonemes = _synthesize(text)
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    first, last = int(loud[0]), int(loud[-1]) + 1
    lead = round(_LEAD_S * SPEECH_RATE_HZ)
    n_ticks = -(-(lead + last - first + round(_TAIL_S * SPEECH_RATE_HZ)) // TICK_SAMPLES)
    padded = np.zeros(n_ticks * TICK_SAMPLES)
    padded[lead : lead + last - first] = samples[first:last]

    shift_s = (lead - first) / SPEECH_RATE_HZ
    grid_s = np.arange(n_ticks * 8) / 200.0
    begin_s = np.array([time_s for time_s, _ in phonemes] + [len(samples) / SPEECH_RATE_HZ]) + shift_s
    shapes = np.array([_MOUTH_SHAPES.get(name.strip("',%= ")[:1] or "_", (0.4, 0.1)) for _, name in phonemes])
    index = np.searchsorted(begin_s, grid_s, side="right") - 1
    speaking = (index >= 0) & (index < len(shapes))
    held = np.where(speaking[:, None], shapes[np.clip(index, 0, len(shapes) - 1)], _MOUTH_SHAPES["_"])
    kernel = np.exp(-0.5 * (np.arange(-24, 25) / 200.0 / 0.028) ** 2)
    smooth = [np.convolve(np.pad(held[:, k], 24, mode="edge"), kernel / kernel.sum(), mode="valid") for k in (0, 1)]
    return Utterance(samples=padded, opening=smooth[0][::8], rounding=smooth[1][::8])


def room_tone(n_ticks: int) -> Utterance:
    """Return quiet noise, about -75 dBFS, with the lips closed."""
    noise = np.random.default_rng(7).normal(0.0, 10 ** (-75 / 20), n_ticks * TICK_SAMPLES)
    return Utterance(samples=noise, opening=np.zeros(n_ticks), rounding=np.zeros(n_ticks))
