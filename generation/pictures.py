"""From latents to pictures (GAIA equation 2).

Shapes: B and T frames, C channels, H rows, W columns.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from generation.trained_run import TrainedRun
from manifests.arrays import RgbImage

__all__ = ["FRAMES_AT_ONCE", "appearance_of", "decoded_pictures"]

FRAMES_AT_ONCE = 8
"""Frames that the decoder makes at once."""


@torch.inference_mode()
def appearance_of(run: TrainedRun, picture: RgbImage) -> Tensor:
    """Return the (C, H, W) appearance latent of an (image_px, image_px, 3) picture."""
    device = next(run.vae.parameters()).device
    image_BCHW = torch.from_numpy(picture).permute(2, 0, 1)[None].to(device).float() / 127.5 - 1.0
    return run.vae.encode_appearance(image_BCHW).mean_BCHW[0]


def decoded_pictures(run: TrainedRun, appearance_CHW: Tensor, motion_TCHW: Tensor) -> Iterator[RgbImage]:
    """Yield the picture of each motion latent with one appearance, (image_px, image_px, 3)."""
    for start in range(0, len(motion_TCHW), FRAMES_AT_ONCE):
        motion_BCHW = motion_TCHW[start : start + FRAMES_AT_ONCE]
        with torch.inference_mode():
            appearance_BCHW = appearance_CHW.expand(len(motion_BCHW), -1, -1, -1)
            image_BHWC = run.vae.decode(appearance_BCHW, motion_BCHW).float().permute(0, 2, 3, 1)
            levels_BHWC = ((image_BHWC.clamp(-1.0, 1.0) + 1.0) * 127.5).round()
        yield from levels_BHWC.cpu().numpy().astype(np.uint8)
