"""Sync-D, Sync-C and offset of a video: crops of its face, its sound, and SyncNet.

The crop is that of SyncNet's authors (`training.evaluation.syncnet`). Their box is of the S3FD face detector, which is
not part of this package; here it is the rectangle around the landmarks, raised to the hairline by a fifth of its
height, since S3FD's boxes end there. So figures are comparable with each other, and with published ones up to what the
crop changes. The middle and the side of the box are medians over 13 ticks; a tick without a face takes those of the
nearest with one, and a video with a face on fewer than half of its ticks has no figures.

Shapes: T ticks, K landmarks.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch.nn import functional

from foundation.array_types import Float32Array, Float64Array, UInt8Array
from foundation.cepstra import mel_cepstra
from manifests.landmarks import landmark_box
from training.comparison.tick_frames import ResultVideo, chunks, mono_sound
from training.evaluation.sync_scores import sync_distances, sync_scores
from training.evaluation.syncnet import CROP_PX, WINDOW_FRAMES, SyncNet, sync_embeddings

__all__ = ["crop_squares", "sync_of_video"]

_MEDIAN_TICKS = 13

_FOREHEAD = 0.2
"""Height of the forehead above the highest landmark, over the height of the landmarks."""

_ROOM = 0.4
"""Room beyond the box to the left, the right and below, over the half of its longer side."""

_GREY = 110
"""What lies beyond the picture, as in the authors' crop."""

_ROWS_PER_TICK = 4
"""Cepstra of a tick."""


def sync_of_video(
    network: SyncNet, video: ResultVideo, landmarks_TK2: Float32Array, width_px: int, height_px: int
) -> dict[str, Float32Array]:
    """Return (1,) `distance`, `confidence` and `late_frames`; NaN where they cannot be computed.

    Args:
        network: of `training.evaluation.syncnet`.
        video: with its sound; it is decoded once more.
        landmarks_TK2: its landmarks on every tick, pixels of pictures of the size given; NaN without a face.
        width_px: of the pictures.
        height_px: likewise.

    Raises:
        UnreadableVideoError: the video or its sound cannot be decoded.
    """
    squares_T3 = crop_squares(landmarks_TK2)
    sound = mono_sound(video, len(landmarks_TK2))
    if squares_T3 is None or sound is None or len(landmarks_TK2) < WINDOW_FRAMES:
        return {name: np.array([np.nan], np.float32) for name in ("distance", "confidence", "late_frames")}
    cepstra_RC = mel_cepstra(sound, _ROWS_PER_TICK * len(landmarks_TK2))
    lips, heard = [], []
    for first, faces in _face_stretches(video, squares_T3, width_px, height_px):
        rows = cepstra_RC[_ROWS_PER_TICK * first : _ROWS_PER_TICK * (first + len(faces))]
        of_lips, of_sound = sync_embeddings(network, faces, rows)
        lips.append(of_lips)
        heard.append(of_sound)
    scores = sync_scores(sync_distances(np.concatenate(lips), np.concatenate(heard)))
    found = {"distance": scores.distance, "confidence": scores.confidence, "late_frames": scores.sound_late_frames}
    return {name: np.array([value], np.float32) for name, value in found.items()}


def crop_squares(landmarks_TK2: Float32Array) -> Float64Array | None:
    """Return (T, 3) left and upper border and side of the crop of each tick, pixels; None without enough faces."""
    seen_T = np.isfinite(landmarks_TK2[:, 0, 0])
    if 2 * int(seen_T.sum()) < len(seen_T) or not seen_T.any():
        return None
    boxes_T4 = landmark_box(landmarks_TK2).astype(np.float64)
    boxes_T4[:, 1] -= _FOREHEAD * (boxes_T4[:, 3] - boxes_T4[:, 1])
    half_T = np.maximum(boxes_T4[:, 2] - boxes_T4[:, 0], boxes_T4[:, 3] - boxes_T4[:, 1]) / 2.0
    measured_T3 = np.column_stack(
        [(boxes_T4[:, 0] + boxes_T4[:, 2]) / 2.0, (boxes_T4[:, 1] + boxes_T4[:, 3]) / 2.0, half_T]
    )
    known = np.flatnonzero(seen_T)
    ticks = np.arange(len(seen_T))
    after = np.searchsorted(known, ticks).clip(max=len(known) - 1)
    before = (after - 1).clip(min=0)
    nearest = np.where(ticks - known[before] <= np.abs(known[after] - ticks), known[before], known[after])
    around = np.pad(measured_T3[nearest], ((_MEDIAN_TICKS // 2,) * 2, (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(around, _MEDIAN_TICKS, axis=0)
    x, y, half = np.moveaxis(np.median(windows, axis=-1), 1, 0)
    return np.stack([x - (1.0 + _ROOM) * half, y - half, 2.0 * (1.0 + _ROOM) * half], axis=1)


def _face_stretches(
    video: ResultVideo, squares_T3: Float64Array, width_px: int, height_px: int
) -> Iterator[tuple[int, UInt8Array]]:
    """Yield the first tick and the crops of stretches that share 4 ticks, so that every window lies in one of them."""
    kept: list[UInt8Array] = []
    first = 0
    for pictures in chunks(video, width_px, height_px):
        start = first + len(kept)
        kept += [
            _crop(picture, squares_T3[start + k]) for k, picture in enumerate(pictures) if start + k < len(squares_T3)
        ]
        if len(kept) >= WINDOW_FRAMES:
            yield first, np.stack(kept)
            first += len(kept) - (WINDOW_FRAMES - 1)
            kept = kept[-(WINDOW_FRAMES - 1) :]


def _crop(picture_HW3: UInt8Array, square: Float64Array) -> UInt8Array:
    """Return (224, 224, 3): a square of a picture."""
    left, top, side = (round(float(number)) for number in square)
    side = max(side, 1)
    cut = np.full((side, side, 3), _GREY, np.uint8)
    height, width = picture_HW3.shape[:2]
    y0, y1, x0, x1 = max(top, 0), min(top + side, height), max(left, 0), min(left + side, width)
    if y1 > y0 and x1 > x0:
        cut[y0 - top : y1 - top, x0 - left : x1 - left] = picture_HW3[y0:y1, x0:x1]
    levels = torch.from_numpy(cut).permute(2, 0, 1)[None].float()
    scaled = functional.interpolate(levels, (CROP_PX, CROP_PX), mode="bilinear", align_corners=False)
    crop: UInt8Array = scaled[0].round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
    return crop
