"""Preview images of the VAE: fixed frames with their reconstructions, and with the motion of other clips.

Shapes: B images, C channels, H rows, W columns.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from foundation.array_types import RgbImage
from models.pixels import to_float, to_uint8
from models.vae.landmark_image import LandmarkRenderer
from models.vae.vae import Vae, VaeOutput
from training.data.clips import ClipError
from training.vae.samples import FramePair, FramePairBatch, FramePairs, collate_pairs

__all__ = ["VaePreviews", "reconstruct"]

_CLIPS = 4
"""Clips in the previews, evenly spread over the selection."""


class VaePreviews:
    """Previews of the first and last frame of some clips of a selection; a damaged clip is replaced by the next."""

    def __init__(self, pairs: FramePairs, renderer: LandmarkRenderer) -> None:
        self._pairs, self._renderer = pairs, renderer
        self._frame_pairs: list[FramePair] | None = None

    @torch.inference_mode()
    def sheets(self, vae: Vae) -> Mapping[str, RgbImage]:
        """Return two sheets, `reconstructions` and, of a VAE with motion latents, `swaps`.

        Reconstructions, a row per clip: its first frame, its last frame, which may be held out, and the output of the
        VAE for the appearance of the first and the landmarks of the last. Swaps: the appearance of the frames in the
        left column with the motion of those in the top row.

        Args:
            vae: in evaluation mode; the landmark renderer is on its device.
        """
        if self._frame_pairs is None:
            self._frame_pairs = self._readable()
        if not self._frame_pairs:
            return {}
        batch = collate_pairs(self._frame_pairs)
        first, last = (to_uint8(to_float(side)) for side in (batch.image_i_BCHW, batch.image_j_BCHW))
        output = to_uint8(reconstruct(vae, self._renderer, batch))
        sheets = {"reconstructions": _sheet(list(zip(first, last, output, strict=True)))}
        if vae.config.disentangled:
            blank = np.full_like(first[0], 255)
            rows = [[blank, *last]]
            for number, source in enumerate(first):
                appearance = batch._replace(image_i_BCHW=batch.image_i_BCHW[number].expand_as(batch.image_i_BCHW))
                rows.append([source, *to_uint8(reconstruct(vae, self._renderer, appearance))])
            sheets["swaps"] = _sheet(rows)
        return sheets

    def _readable(self) -> list[FramePair]:
        """Return the first and last frame of at most `_CLIPS` clips that can be read."""
        n_frames = self._pairs.index.n_frames
        n_clips = len(n_frames)
        chosen = np.linspace(0, n_clips - 1, min(_CLIPS, n_clips)).round().astype(int).tolist()
        found: list[FramePair] = []
        for clip in (*chosen, *(other for other in range(n_clips) if other not in chosen)):
            try:
                found.append(self._pairs.pair(clip, 0, int(n_frames[clip]) - 1))
            except ClipError:
                continue
            if len(found) == len(chosen):
                break
        return found


def reconstruct(vae: Vae, renderer: LandmarkRenderer, batch: FramePairBatch) -> Tensor:
    """Reconstruct frames j of pairs, (B, 3, H, W), from the means of the latents."""
    device = next(vae.parameters()).device
    if not vae.config.disentangled:
        output: VaeOutput = vae(to_float(batch.image_j_BCHW.to(device)), None, None)
    else:
        landmarks_BCHW = renderer(batch.landmarks_BK2.to(device), batch.valid_BK.to(device))
        output = vae(to_float(batch.image_i_BCHW.to(device)), landmarks_BCHW, None)
    return output.image_BCHW


def _sheet(rows: Sequence[Sequence[RgbImage]]) -> RgbImage:
    return np.concatenate([np.concatenate(row, axis=1) for row in rows], axis=0)
