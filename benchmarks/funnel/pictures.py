"""Pictures of a film: those of videos, scaled and laid out, and drawn ones that move."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from foundation.array_types import RgbImage

__all__ = ["beside", "cartoon", "fitted", "inset", "scenery", "slide", "video_pictures"]

_INSET_PX = 130
"""Height of a small video: a face in it is narrower than any limit."""

_SLIDE_S = 9.0
"""How long a slide is shown."""

_WORDS = ("lorem", "ipsum", "dolor", "sit", "amet")


def video_pictures(path: Path, start_s: float, fps: int) -> Iterator[RgbImage]:
    """Yield the picture that is shown at each 1/fps s from a time on; the video begins again where it ends."""
    import av

    wanted_s, offset_s, number = start_s, 0.0, 0
    before, picture = None, None
    while True:
        with av.open(str(path)) as container:
            times_s: list[float] = []
            for frame in container.decode(container.streams.video[0]):
                times_s.append(float(frame.time))
                time_s = times_s[-1] - times_s[0] + offset_s
                while before is not None and wanted_s < time_s - 1e-6:
                    picture = np.asarray(before.to_ndarray(format="rgb24"), np.uint8) if picture is None else picture
                    yield picture
                    number += 1
                    wanted_s = start_s + number / fps
                before, picture = frame, None
            # The last picture is shown for as long as the one before it.
            offset_s += 2 * times_s[-1] - times_s[-2] - times_s[0]


def fitted(picture: RgbImage, width: int, height: int) -> RgbImage:
    """Return a picture scaled to fit into a frame, between black bars."""
    scale = min(width / picture.shape[1], height / picture.shape[0])
    size = (max(2, round(picture.shape[1] * scale)), max(2, round(picture.shape[0] * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    frame = np.zeros((height, width, 3), np.uint8)
    x0, y0 = (width - size[0]) // 2, (height - size[1]) // 2
    frame[y0 : y0 + size[1], x0 : x0 + size[0]] = cv2.resize(picture, size, interpolation=method)
    return frame


def beside(one: RgbImage, other: RgbImage, width: int, height: int) -> RgbImage:
    """Return the middle halves of two pictures, joined as one: two people so close that no square shows one alone."""
    halves = []
    for picture in (one, other):
        middle = picture[:, picture.shape[1] // 4 : picture.shape[1] * 3 // 4]
        size = (round(middle.shape[1] * height / middle.shape[0]), height)
        halves.append(cv2.resize(middle, size, interpolation=cv2.INTER_LINEAR))
    return fitted(np.hstack(halves), width, height)


def inset(picture: RgbImage, frame: RgbImage) -> RgbImage:
    """Return a frame with a small picture in its lower right corner."""
    scale = _INSET_PX / picture.shape[0]
    small = cv2.resize(picture, (round(picture.shape[1] * scale), _INSET_PX), interpolation=cv2.INTER_AREA)
    small = small[:, : frame.shape[1] - 20]
    covered = frame.copy()
    covered[-_INSET_PX - 10 : -10, -small.shape[1] - 10 : -10] = small
    return covered


def slide(time_s: float, width: int, height: int) -> RgbImage:
    """Return a slide with a heading, lines of text and a chart, over which the pointer of a mouse moves."""
    number = int(time_s / _SLIDE_S)
    draw = np.random.default_rng(number)
    frame = np.full((height, width, 3), 250, np.uint8)
    unit = min(width, height) / 360
    colour = tuple(int(v) for v in draw.integers(20, 160, 3))
    cv2.rectangle(frame, (0, 0), (width, int(56 * unit)), colour, -1)
    cv2.putText(
        frame, f"Part {number + 1}: results", (int(16 * unit), int(38 * unit)), 0, unit, (255,) * 3, 2, cv2.LINE_AA
    )
    for line in range(5):
        words = " ".join(_WORDS[: int(draw.integers(2, 6))])
        place = (int(24 * unit), int((96 + 34 * line) * unit))
        cv2.putText(frame, f"- {words}", place, 0, 0.55 * unit, (40,) * 3, 1, cv2.LINE_AA)
    for bar, value in enumerate(draw.uniform(0.2, 1.0, 6)):
        x0, y0 = int((24 + 44 * bar) * unit), int(height - 16 * unit)
        cv2.rectangle(frame, (x0, y0), (int(x0 + 30 * unit), int(y0 - 60 * value * unit)), colour, -1)
    pointer = (int(width * (0.5 + 0.4 * np.sin(time_s))), int(height * (0.5 + 0.3 * np.cos(0.7 * time_s))))
    cv2.circle(frame, pointer, int(4 * unit), (200, 30, 30), -1, cv2.LINE_AA)
    return frame


def cartoon(time_s: float, width: int, height: int) -> RgbImage:
    """Return a drawn street: a sun, clouds, houses that pass by, and a figure that walks."""
    frame = np.full((height, width, 3), (120, 190, 250), np.uint8)
    unit = min(width, height) / 360
    frame[int(0.75 * height) :] = (90, 170, 80)
    cv2.circle(frame, (int(0.85 * width), int(60 * unit)), int(36 * unit), (255, 220, 60), -1, cv2.LINE_AA)
    for cloud in range(4):
        x = int((cloud * 0.3 * width + 14 * time_s * unit) % (1.2 * width) - 0.1 * width)
        for part in (-1, 0, 1):
            cv2.circle(
                frame, (x + int(22 * part * unit), int((50 + 12 * cloud) * unit)), int(18 * unit), (255,) * 3, -1
            )
    for house in range(6):
        x = int((house * 150 * unit - 60 * time_s * unit) % (900 * unit) - 120 * unit)
        top = int(0.75 * height - (70 + 20 * (house % 3)) * unit)
        window = (x + int(60 * unit), top + int(45 * unit))
        colour = ((200, 90, 70), (230, 180, 90), (150, 110, 190))[house % 3]
        cv2.rectangle(frame, (x, top), (x + int(90 * unit), int(0.75 * height)), colour, -1)
        cv2.rectangle(frame, (x + int(30 * unit), top + int(20 * unit)), window, (250, 250, 200), -1)
    swing, x, y = np.sin(6 * time_s), int(0.4 * width), int(0.7 * height - abs(6 * np.sin(6 * time_s)) * unit)
    cv2.ellipse(frame, (x, y), (int(24 * unit), int(40 * unit)), 0, 0, 360, (220, 60, 60), -1, cv2.LINE_AA)
    cv2.circle(frame, (x, y - int(58 * unit)), int(24 * unit), (240, 200, 60), -1, cv2.LINE_AA)
    for side in (-1, 1):
        foot = (x + int(side * 24 * swing * unit), int(0.86 * height))
        cv2.line(frame, (x, y + int(34 * unit)), foot, (60, 40, 30), max(2, int(8 * unit)), cv2.LINE_AA)
        cv2.circle(frame, (x + int(9 * side * unit), y - int(62 * unit)), int(4 * unit), (20, 20, 20), -1)
    return frame


def scenery(time_s: float, width: int, height: int) -> RgbImage:
    """Return hills under an evening sky past which the camera moves, with water that glitters in front."""
    small_width, small_height = width // 4, height // 4
    rows = np.linspace(0, 1, small_height, dtype=np.float32)[:, None, None]
    evening = np.array([[60, 80, 150], [240, 170, 110]], np.float32)
    frame = np.repeat((1 - rows) * evening[0] + rows * evening[1], small_width, axis=1)
    columns = np.arange(small_width) / small_height
    for layer in range(4):
        place = (columns + 0.08 * (layer + 1) * time_s) * (2.2 - 0.3 * layer)
        ridge = 0.45 + 0.11 * layer + 0.06 * np.sin(2.1 * place + layer) + 0.03 * np.sin(7.3 * place)
        frame[rows[..., 0] > ridge[None]] = np.array([50, 70, 60]) * (1.3 - 0.25 * layer)
    glitter = np.random.default_rng(int(time_s * 10)).normal(0, 6, (small_height // 5, small_width, 1))
    frame[-len(glitter) :] += glitter.astype(np.float32)
    small = np.clip(frame, 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
