"""What the motion diffusion model makes of a clip, as pictures beside the clip itself.

Shapes: T frames, D numbers of a latent, C channels, H rows, W columns.
"""

import numpy as np
import torch
from torch import Tensor

from foundation.array_types import RgbImage
from models.motion.diffusion import MotionDiffusion
from models.motion.inputs import MotionInputs
from models.pixels import to_float, to_uint8
from models.sampling.sample_motion import MotionSampling, sample_motion
from models.sampling.samplers import SeededNoise
from models.vae.vae import Vae
from training.data.clips import ClipReader
from training.data.selection import ClipIndex
from training.diffusion.sequences import MotionSequences, Stretch

__all__ = ["MotionPictures"]

_COLUMNS = 8
"""Frames that are shown, evenly spread over the stretch."""

_MOST_FRAMES = 100
"""Of the stretch: 4 s."""

_SEED = 0
"""Of the noise, the same for both speeches and in all pictures of a run."""


class MotionPictures:
    """Draws one clip of a selection, the first, and the same with the speech of the last."""

    def __init__(self, index: ClipIndex, sequences: MotionSequences, vae: Vae) -> None:
        self._reader = ClipReader(index)
        self._sequences, self._vae = sequences, vae
        self._n_frames = index.n_frames

    @torch.inference_mode()
    def sheet(self, network: MotionDiffusion) -> RgbImage:
        """Return three rows of frames: the true motion, that of the clip's speech, that of another clip's.

        All are drawn by the VAE with the appearance of the clip's first frame, which is the reference too.

        Args:
            network: in evaluation mode, on the device of the VAE.

        Raises:
            ClipError: a clip is damaged.
        """
        device = next(network.parameters()).device
        clips = (0, len(self._n_frames) - 1)
        n_frames = min(_MOST_FRAMES, *(int(self._n_frames[clip]) for clip in clips))
        shown, other = (self._sequences.sequence(Stretch(clip, 0, n_frames, 0)) for clip in clips)
        rows = [shown.target_TD.to(device)]
        for speech_TF in (shown.speech_TF, other.speech_TF):
            inputs = MotionInputs(
                mask_BT=torch.ones(1, n_frames, dtype=torch.bool, device=device),
                reference_BD=shown.reference_D[None].to(device),
                speech_BTF=speech_TF[None].to(device),
            )
            rows.append(sample_motion(network, inputs, SeededNoise([_SEED], device), MotionSampling())[0])
        columns = np.linspace(0, n_frames - 1, _COLUMNS).round().astype(int).tolist()
        appearance_CHW = self._appearance(device)
        return np.concatenate([self._row(row_TD[columns], appearance_CHW) for row_TD in rows])

    def _appearance(self, device: torch.device) -> Tensor:
        """Return (C, H, W) of the first frame of the clip that is shown."""
        pictures = self._reader.pictures(0, [0], self._vae.config.image_px)
        image_BCHW = to_float(torch.from_numpy(pictures).permute(0, 3, 1, 2).to(device))
        return self._vae.encode_appearance(image_BCHW).mean_BCHW[0]

    def _row(self, motion_TD: Tensor, appearance_CHW: Tensor) -> RgbImage:
        """Return the pictures of (T, D) standardised latents side by side."""
        shape = self._sequences.facts.latent_shape
        latents_BCHW = self._vae.latent_statistics.restore(motion_TD.reshape(-1, *shape))
        if self._vae.config.disentangled:
            image_BCHW = self._vae.decode(appearance_CHW.expand(len(latents_BCHW), -1, -1, -1), latents_BCHW)
        else:
            image_BCHW = self._vae.decode(latents_BCHW, None)
        return np.concatenate(to_uint8(image_BCHW), axis=1)
