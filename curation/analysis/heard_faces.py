"""Probability that a face speaks, from its picture and the sound, on the stretches that are worth it."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from curation.analysis.lips_and_sound import Piece, pieces_of
from curation.evidence.track_stretches import TrackStretch
from curation.media.audio import tick_audio
from curation.media.frames import tick_frames
from curation.media.probe import VideoInfo
from curation.media.settings import MediaSettings
from curation.perception.protocols import ActiveSpeaker
from foundation.array_types import Float32Array, RgbImage

__all__ = ["speaking_prob"]


def speaking_prob(
    info: VideoInfo,
    stretches: Sequence[TrackStretch],
    boxes_px: Float32Array,
    model: ActiveSpeaker,
    media: MediaSettings,
) -> Float32Array:
    """Return the (F,) probability that each face speaks, NaN where nothing was measured; the stretches are decoded.

    Args:
        info: the video, with a sound track.
        stretches: where to measure, by their first tick.
        boxes_px: (F, 4) of all faces of the video.
        model: the detector of the active speaker.
        media: how the video is decoded.

    Raises:
        MediaError: the file cannot be opened any more.
    """
    prob = np.full(len(boxes_px), np.nan, dtype=np.float32)
    for piece in pieces_of(stretches):
        audio = tick_audio(info, piece.first_tick, piece.end_tick)
        if audio is None:
            raise RuntimeError(f"{info.path}: nobody can be heard, for there is no sound track")
        here = [stretch for stretch in stretches if piece.part(stretch) is not None]
        samples_per_tick = len(audio) // (piece.end_tick - piece.first_tick)
        for stretch, crops in zip(here, _crops(info, piece, here, boxes_px, model, media), strict=True):
            first, end = max(piece.first_tick, stretch.first_tick), min(piece.end_tick, stretch.end_tick)
            begin = (first - piece.first_tick) * samples_per_tick
            rows = model(crops, audio[begin : begin + (end - first) * samples_per_tick])
            ticks = np.arange(first, end)
            face = stretch.face[first - stretch.first_tick : end - stretch.first_tick]
            kept = (face >= 0) & (ticks >= piece.kept[0]) & (ticks < piece.kept[1])
            prob[face[kept]] = rows[kept]
    return prob


def _crops(
    info: VideoInfo,
    piece: Piece,
    stretches: Sequence[TrackStretch],
    boxes_px: Float32Array,
    model: ActiveSpeaker,
    media: MediaSettings,
) -> list[npt.NDArray[np.uint8]]:
    """Return the (T, S, S) crops of each stretch in a piece, from one pass over its frames."""
    firsts, squares = [], []
    for stretch in stretches:
        first, end = max(piece.first_tick, stretch.first_tick), min(piece.end_tick, stretch.end_tick)
        face = stretch.face[first - stretch.first_tick : end - stretch.first_tick]
        boxes = np.where((face >= 0)[:, None], boxes_px[face], np.float32(np.nan))
        firsts.append(first)
        squares.append(model.squares(boxes))
    crops: list[list[npt.NDArray[np.uint8]]] = [[] for _ in squares]
    # where the file has no frame, the one before is shown
    shown: RgbImage = np.zeros((info.height_px, info.width_px, 3), dtype=np.uint8)
    for frame in tick_frames(info, piece.first_tick, piece.end_tick, media):
        for first, own, cut in zip(firsts, squares, crops, strict=True):
            row = frame.tick - first
            if 0 <= row < len(own):
                shown = shown if frame.rgb is None else frame.rgb
                cut.append(model.crop(shown, own[row]))
    return [np.stack(cut) for cut in crops]
