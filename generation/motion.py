"""Motion latents of a video: sampled from speech, or of the landmarks of a driving video (GAIA section 4.3 and 4.2).

Shapes: T frames, K landmarks, C channels, H rows and W columns of a motion latent, F speech features.
"""

import numpy as np
import torch
from torch import Tensor

from generation.trained_run import TrainedRun
from manifests.arrays import Float16Array, Float32Array
from models.motion_diffusion import MotionDiffusion
from models.motion_inputs import MotionInputs
from models.motion_sampling import MotionSampling, sample_motion
from models.samplers import SeededNoise

__all__ = ["motion_of_landmarks", "motion_of_speech"]

_BATCH = 16
"""Landmark pictures that E_M gets at once."""


@torch.inference_mode()
def motion_of_landmarks(run: TrainedRun, landmarks_px: Float32Array) -> Tensor:
    """Return (T, C, H, W) motion latents, means of their posterior, of (T, K, 2) landmarks in pixels of the crop."""
    device = next(run.vae.parameters()).device
    parts = []
    for start in range(0, len(landmarks_px), _BATCH):
        points_BK2 = torch.from_numpy(landmarks_px[start : start + _BATCH]).to(device)
        valid_BK = torch.ones(points_BK2.shape[:2], dtype=torch.bool, device=device)
        parts.append(run.vae.encode_motion(run.renderer(points_BK2, valid_BK)).mean_BCHW)
    return torch.cat(parts)


@torch.inference_mode()
def motion_of_speech(
    run: TrainedRun,
    network: MotionDiffusion,
    features: Float16Array,
    reference_CHW: Tensor,
    sampling: MotionSampling,
    seed: int,
) -> Tensor:
    """Return (T, C, H, W) motion latents sampled from speech; head poses are those that the network predicts.

    Args:
        run: of which `network` is the motion network.
        network: on the device of the VAE.
        features: (T, F) one row per frame.
        reference_CHW: motion latent of the portrait.
        sampling: solver, guidance, windows.
        seed: of all the noise.
    """
    device = reference_CHW.device
    statistics = run.vae.latent_statistics
    speech_BTF = torch.from_numpy(np.ascontiguousarray(features))[None].to(device)
    inputs = MotionInputs(
        mask_BT=torch.ones(speech_BTF.shape[:2], dtype=torch.bool, device=device),
        reference_BD=statistics.standardise(reference_CHW[None]).flatten(1),
        speech_BTF=speech_BTF,
    )
    standardised_BTD = sample_motion(network, inputs, SeededNoise([seed], device), sampling)
    return statistics.restore(standardised_BTD[0].reshape(-1, *reference_CHW.shape))
