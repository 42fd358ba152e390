"""Make `talking_astronaut.mp4` and its truth: a photograph that talks, with known faults at known times.

    python samples/make_sample.py [--out FOLDER]

The same library versions give the same bytes.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Literal

import av
import cv2
import face_warp
import numpy as np
import numpy.typing as npt
import portrait
import speech

__all__ = ["FRAME_HW", "STRETCHES", "Stretch", "main", "render", "timeline", "truth"]

FRAME_HW = (480, 640)
FPS = 25
_FACE_WIDTH = 185.0
"""Width of the face in the frame, px: that of the rectangle around MediaPipe's landmarks."""
_STAND_XY, _NEIGHBOUR_XY = (180.0, 225.0), (474.0, 232.0)
_TURN_DEG, _TURN_TICKS = -47.0, 12
"""The turn takes 0.48 s: fast enough to be clear, slow enough not to count as jitter."""
_SILENT_TICKS = 100
_SUIT_TOP_Y = 380
"""Row of the canvas above which there is no suit, px."""

Fault = Literal["none", "turned", "shaken", "masked", "silent", "two_faces", "no_face"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """A part of the video with one fault or none, as long as its sentence."""

    label: str
    fault: Fault
    text: str
    diffusion: str = "kept"
    """Its outcome in tier `diffusion`, a name in `manifests.vocabulary`."""
    vae: str = "kept"
    second_shot: str = ""
    """Another sentence, spoken after a cut to a closer shot."""


def _faulty(label: Fault, outcome: str, text: str) -> Stretch:
    return Stretch(label=label, fault=label, text=text, diffusion=outcome, vae=outcome)


STRETCHES = (
    Stretch(label="good", fault="none", text="Hello. I am a photograph that learned to talk, so that every rule has "
            "something to find. My mouth follows the words that you hear."),
    _faulty("turned", "frontal", "Now I turn my head away, and go on talking to somebody beside you."),
    Stretch(label="good", fault="none", text="Here I am again, looking straight at you, as a good speaker should."),
    _faulty("shaken", "jitter", "Now somebody shakes the camera, and my face is hard to follow."),
    Stretch(label="good", fault="none", text="That is better. A steady picture is what a model can learn from."),
    _faulty("masked", "mask", "Now I wear a mask, and you cannot see how my lips are moving."),
    Stretch(label="good", fault="none", text="The mask is gone, and my mouth tells you again what I am saying."),
    Stretch(label="silent", fault="silent", text="", diffusion="silence"),
    Stretch(label="good", fault="none", text="That was a silence. A mouth at rest has nothing to teach about speech."),
    _faulty("two_faces", "several_faces", "Now somebody stands beside me. Which of us is talking?"),
    Stretch(label="good", fault="none", text="I am alone again, so it is clear who is speaking to you now."),
    _faulty("no_face", "no_face", "Now I have left the picture, and there is only my voice to hear."),
    Stretch(label="good", fault="none", text="And here I am. In a moment the film is cut, and I am nearer.",
            second_shot="This is another shot, closer than the last one. Both are long enough to keep."),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeline:
    """The audio, and the state of mouth and shot in each tick."""

    samples: npt.NDArray[np.float64]
    opening: npt.NDArray[np.float64]
    rounding: npt.NDArray[np.float64]
    first_ticks: tuple[int, ...]
    """First tick of each stretch, and the end of the last one."""
    cut_ticks: tuple[int, ...]


@cache
def timeline() -> Timeline:
    """Return all sentences, spoken one after the other."""
    parts: list[speech.Utterance] = []
    first_ticks, cut_ticks = [0], []
    n_ticks = 0
    for stretch in STRETCHES:
        part = speech.say(stretch.text) if stretch.text else speech.room_tone(_SILENT_TICKS)
        parts.append(part)
        n_ticks += len(part.opening)
        if stretch.second_shot:
            cut_ticks.append(n_ticks)
            parts.append(speech.say(stretch.second_shot))
            n_ticks += len(parts[-1].opening)
        first_ticks.append(n_ticks)
    samples = np.concatenate([part.samples for part in parts])
    tone = speech.room_tone(n_ticks).samples
    return Timeline(
        samples=np.clip(samples * 0.8 + tone, -1, 1),
        opening=np.concatenate([part.opening for part in parts]),
        rounding=np.concatenate([part.rounding for part in parts]),
        first_ticks=tuple(first_ticks),
        cut_ticks=tuple(cut_ticks),
    )


def truth() -> list[dict[str, object]]:
    """Return the truth of the video: times, label, outcome per tier and cuts of each stretch."""
    line = timeline()
    return [
        {
            "start_s": first / FPS,
            "end_s": end / FPS,
            "label": stretch.label,
            "outcome": {"diffusion": stretch.diffusion, "vae": stretch.vae},
            "cuts": [tick / FPS for tick in line.cut_ticks if first < tick < end],
        }
        for stretch, first, end in zip(STRETCHES, line.first_ticks[:-1], line.first_ticks[1:], strict=True)
    ]


def _sway(tick: int) -> tuple[float, float, float, float]:
    """Return the natural motion at `tick`: yaw (degrees), shift to the right, shift down (px), roll (degrees)."""
    time_s = tick / FPS
    yaw = 2.2 * np.sin(2 * np.pi * 0.23 * time_s) + 1.2 * np.sin(2 * np.pi * 0.51 * time_s + 1.0)
    right = 2.5 * np.sin(2 * np.pi * 0.17 * time_s + 0.4)
    down = 1.8 * np.sin(2 * np.pi * 0.37 * time_s) + 0.8 * np.sin(2 * np.pi * 0.9 * time_s)
    return float(yaw), float(right), float(down), float(0.9 * np.sin(2 * np.pi * 0.13 * time_s + 2.0))


def _blink(tick: int) -> float:
    """Return how closed the lids are, 0 to 1: a blink of seven ticks about every three seconds."""
    return (0.0, 0.3, 0.75, 0.95, 0.75, 0.4, 0.15)[tick % 79 - 40] if 40 <= tick % 79 < 47 else 0.0


def _turn(tick: int, first: int, end: int) -> float:
    """Return the progress of the head's turn, 0 to 1; at the ends of the stretch `first` to `end` it is 0.62.

    There the frontal angle passes the limits of both tiers.
    """
    lead = _TURN_TICKS * 0.62
    there = np.clip((tick - (first - lead)) / _TURN_TICKS, 0, 1)
    back = np.clip(((end - 1 + lead) - tick) / _TURN_TICKS, 0, 1)
    amount = min(there, back)
    return float(0.7 * amount + 0.3 * (3 * amount**2 - 2 * amount**3))


@cache
def _shakes() -> tuple[tuple[float, float], ...]:
    """Return the camera's displacements, px: within 18 % of a face width, far from the previous one."""
    rng = np.random.default_rng(25)
    shifts_px = [(0.0, 0.0)]
    while len(shifts_px) < 1000:
        x, y = rng.uniform(-0.18, 0.18, 2) * _FACE_WIDTH
        if np.hypot(x - shifts_px[-1][0], y - shifts_px[-1][1]) > 0.17 * _FACE_WIDTH:
            shifts_px.append((float(x), float(y)))
    return tuple(shifts_px[1:])


@cache
def _layers() -> portrait.Layers:
    return portrait.load_layers()


def _recoloured(person: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the person, premultiplied, changed into another one: mirrored, in a blue suit, with darker hair."""
    mirrored = person[:, ::-1]
    red, green, blue = mirrored[..., 0], mirrored[..., 1], mirrored[..., 2]
    suit = np.clip((red - 1.9 * green) / 40.0, 0, 1)[..., None]
    suit[:_SUIT_TOP_Y] = 0.0
    swapped = np.dstack([blue, green * 1.1, red, mirrored[..., 3]])
    light = np.array([0.86, 0.82, 0.80, 1.0], np.float32)
    return np.asarray((mirrored * (1 - suit) + swapped * suit) * light, np.float32)


def _person(opening: float, rounding: float, lids: float, yaw_deg: float, wears_mask: bool) -> npt.NDArray[np.float32]:
    """Return head and body (H, W, 4) on the canvas, speaking, blinking and turned."""
    layers = _layers()
    head = face_warp.blinked(face_warp.spoken(layers.head, opening, rounding), lids)
    if wears_mask:
        head = face_warp.masked(head, opening)
    turned = cv2.remap(head, *face_warp.turn_map(yaw_deg), cv2.INTER_LINEAR)
    return np.asarray(turned + layers.body * (1 - turned[..., 3:]), np.float32)


def _placed(
    layer: npt.NDArray[np.float32], xy: tuple[float, float], zoom: float, roll: float
) -> npt.NDArray[np.float32]:
    """Return `layer` of the canvas in the frame, the middle of its face at `xy`; borders are repeated."""
    matrix = cv2.getRotationMatrix2D(portrait.FACE_XY, roll, zoom)
    matrix[:, 2] += np.array(xy) - np.array(portrait.FACE_XY)
    border = cv2.BORDER_REPLICATE if layer.shape[2] == 3 else cv2.BORDER_CONSTANT
    placed = cv2.warpAffine(layer, matrix, FRAME_HW[::-1], flags=cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(placed, np.float32)


def render(tick: int) -> npt.NDArray[np.uint8]:
    """Return the frame at `tick`: (480, 640, 3) RGB."""
    line = timeline()
    number = int(np.searchsorted(line.first_ticks, tick, side="right")) - 1
    fault = STRETCHES[number].fault
    yaw, right, down, roll = _sway(tick)
    turned = next(k for k, stretch in enumerate(STRETCHES) if stretch.fault == "turned")
    turn = _turn(tick, line.first_ticks[turned], line.first_ticks[turned + 1])
    yaw = yaw * (1 - turn) + _TURN_DEG * turn
    shake = _shakes()[tick - line.first_ticks[number]] if fault == "shaken" else (0.0, 0.0)
    closer = bool(line.cut_ticks) and tick >= line.cut_ticks[0]

    backdrop = _layers().backdrop
    stand = (320.0, 235.0) if closer else _STAND_XY
    at = (stand[0] + right + shake[0], stand[1] + down + shake[1])
    zoom = 1.25 if closer else 1.0
    if closer:
        backdrop = backdrop[:, ::-1] * np.array([0.42, 0.55, 0.68], np.float32)
    wall_at = (320.0 + shake[0], 240.0 + shake[1])
    image = _placed(np.ascontiguousarray(backdrop), wall_at, 1.1, 0.0)
    if fault == "no_face":
        return np.asarray(np.clip(np.rint(image), 0, 255), np.uint8)
    opening, rounding = float(line.opening[tick]), float(line.rounding[tick])
    people = [(_person(opening, rounding, _blink(tick), yaw, fault == "masked"), at)]
    if fault == "two_faces":
        neighbour = _recoloured(_person(0.0, 0.0, _blink(tick + 30), -yaw, wears_mask=False))
        people.insert(0, (neighbour, (_NEIGHBOUR_XY[0] - right, _NEIGHBOUR_XY[1] - down)))
    for person, xy in people:
        layer = _placed(np.ascontiguousarray(person[:, ::-1]) if closer else person, xy, zoom, roll)
        image = layer[..., :3] + image * (1 - layer[..., 3:])
    return np.asarray(np.clip(np.rint(image), 0, 255), np.uint8)


def _write_video(path: Path, frames: Iterator[npt.NDArray[np.uint8]], samples: npt.NDArray[np.float64]) -> None:
    """Encode H.264 and AAC; one thread, so that the bytes do not depend on the machine's number of cores."""
    with av.open(str(path), "w", options={"movflags": "+faststart", "fflags": "+bitexact"}) as container:
        options = {"crf": "22", "preset": "slow", "threads": "1", "x264-params": "threads=1"}
        video = container.add_stream("libx264", rate=FPS, options=options)
        video.height, video.width = FRAME_HW
        video.pix_fmt = "yuv420p"
        video.thread_count = 1
        audio = container.add_stream("aac", rate=speech.SPEECH_RATE_HZ, layout="mono")
        audio.bit_rate = 56_000
        pcm = np.asarray(np.rint(samples * 32767), np.int16)
        for tick, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = tick, Fraction(1, FPS)
            container.mux(video.encode(frame))
            block = pcm[None, tick * speech.TICK_SAMPLES : (tick + 1) * speech.TICK_SAMPLES]
            audio_frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="s16", layout="mono")
            audio_frame.sample_rate, audio_frame.pts = speech.SPEECH_RATE_HZ, tick * speech.TICK_SAMPLES
            audio_frame.time_base = Fraction(1, speech.SPEECH_RATE_HZ)
            container.mux(audio.encode(audio_frame))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


def main() -> None:
    """Write the video and its truth into a folder."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).resolve().parent, help="folder; by default that of this file"
    )
    out: Path = parser.parse_args().out
    cv2.setNumThreads(1)
    n_ticks = timeline().first_ticks[-1]
    _write_video(out / "talking_astronaut.mp4", (render(tick) for tick in range(n_ticks)), timeline().samples)
    (out / "talking_astronaut.truth.json").write_text(json.dumps(truth(), indent=1) + "\n", encoding="utf-8")
    size = (out / "talking_astronaut.mp4").stat().st_size
    print(f"{out / 'talking_astronaut.mp4'}: {n_ticks} frames, {n_ticks / FPS} s, {size} bytes")


if __name__ == "__main__":
    main()
