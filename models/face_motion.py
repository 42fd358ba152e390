"""Run the networks: motion latents from speech or from landmarks, and frames from them (GAIA sections 4.2 and 4.3).

Shapes: T frames, K landmarks, C channels, H rows and W columns of a motion latent, F speech features.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from foundation.array_types import Float16Array, Float32Array, RgbImage
from models.motion.diffusion import MotionDiffusion
from models.motion.inputs import MotionInputs
from models.pixels import to_float, to_uint8
from models.run_networks import RunNetworks
from models.sampling.sample_motion import MotionSampling, sample_motion
from models.sampling.samplers import SeededNoise

__all__ = [
    "FRAMES_AT_ONCE",
    "appearance_of",
    "decoded_frames",
    "motion_of_landmarks",
    "motion_of_speech",
    "motion_of_text",
    "reference_motion",
]

_BATCH = 16
"""Drawn landmarks that E_M encodes at once."""


@torch.inference_mode()
def motion_of_landmarks(run: RunNetworks, landmarks_px: Float32Array) -> Tensor:
    """Return (T, C, H, W) motion latents, means of their posterior, of (T, K, 2) landmarks in pixels of the crop.

    Raises:
        ValueError: the VAE was trained without disentanglement and encodes no landmarks.
    """
    device = next(run.vae.parameters()).device
    parts = []
    for start in range(0, len(landmarks_px), _BATCH):
        points_BK2 = torch.from_numpy(landmarks_px[start : start + _BATCH]).to(device)
        valid_BK = torch.ones(points_BK2.shape[:2], dtype=torch.bool, device=device)
        parts.append(run.vae.encode_motion(run.renderer(points_BK2, valid_BK)).mean_BCHW)
    return torch.cat(parts)


def reference_motion(run: RunNetworks, image: RgbImage, landmarks_px: Float32Array) -> Tensor:
    """Return the (C, H, W) latent of a portrait that is the reference of the motion network.

    It is z_m of the landmarks, or z_a of the image where the VAE was trained without disentanglement (Table 6).

    Args:
        run: its networks.
        image: (image_px, image_px, 3) the portrait.
        landmarks_px: (K, 2) its landmarks, pixels of the image.
    """
    if run.vae.config.disentangled:
        return motion_of_landmarks(run, landmarks_px[None])[0]
    return appearance_of(run, image)


@torch.inference_mode()
def motion_of_speech(
    run: RunNetworks,
    network: MotionDiffusion,
    features: Float16Array,
    reference_CHW: Tensor,
    sampling: MotionSampling,
    seed: int,
    pose_deg: Float32Array | None = None,
) -> Tensor:
    """Return (T, C, H, W) motion latents sampled from speech.

    Args:
        run: of which `network` is the motion network.
        network: on the device of the VAE.
        features: (T, F) one row per frame.
        reference_CHW: latent of the portrait, see `reference_motion`.
        sampling: solver, guidance, windows.
        seed: of all the noise.
        pose_deg: (T, 3) pitch, yaw, roll in degrees; None: the network predicts them.
    """
    device = reference_CHW.device
    statistics = run.vae.latent_statistics
    speech_BTF = torch.from_numpy(np.ascontiguousarray(features))[None].to(device)
    inputs = MotionInputs(
        mask_BT=torch.ones(speech_BTF.shape[:2], dtype=torch.bool, device=device),
        reference_BD=statistics.standardise(reference_CHW[None]).flatten(1),
        speech_BTF=speech_BTF,
        pose_deg_BTP=None if pose_deg is None else torch.from_numpy(pose_deg)[None].to(device),
    )
    standardised_BTD = sample_motion(network, inputs, SeededNoise([seed], device), sampling)
    return statistics.restore(standardised_BTD[0].reshape(-1, *reference_CHW.shape))


@torch.inference_mode()
def motion_of_text(
    run: RunNetworks,
    network: MotionDiffusion,
    states: Float16Array,
    n_frames: int,
    reference_CHW: Tensor,
    sampling: MotionSampling,
    seed: int,
) -> Tensor:
    """Return (T, C, H, W) motion latents sampled from the states of a text.

    Args:
        run: of which `network` is the motion network.
        network: driven by text; on the device of the VAE.
        states: (L, 768) of the text encoder.
        n_frames: T.
        reference_CHW: latent of the portrait, see `reference_motion`.
        sampling: solver, guidance, windows.
        seed: of all the noise.
    """
    device, statistics = reference_CHW.device, run.vae.latent_statistics
    text_BLG = torch.from_numpy(states)[None].to(device)
    inputs = MotionInputs(
        mask_BT=torch.ones((1, n_frames), dtype=torch.bool, device=device),
        reference_BD=statistics.standardise(reference_CHW[None]).flatten(1),
        text_BLG=text_BLG,
        text_mask_BL=torch.ones(text_BLG.shape[:2], dtype=torch.bool, device=device),
    )
    standardised_BTD = sample_motion(network, inputs, SeededNoise([seed], device), sampling)
    return statistics.restore(standardised_BTD[0].reshape(-1, *reference_CHW.shape))


FRAMES_AT_ONCE = 8
"""Frames that the decoder generates at once."""


@torch.inference_mode()
def appearance_of(run: RunNetworks, image: RgbImage) -> Tensor:
    """Return the (C, H, W) appearance latent of an (image_px, image_px, 3) image."""
    device = next(run.vae.parameters()).device
    image_BCHW = to_float(torch.from_numpy(image).permute(2, 0, 1)[None].to(device))
    return run.vae.encode_appearance(image_BCHW).mean_BCHW[0]


def decoded_frames(run: RunNetworks, appearance_CHW: Tensor, motion_TCHW: Tensor) -> Iterator[RgbImage]:
    """Yield the (image_px, image_px, 3) frame of each motion latent, with one appearance.

    Latents of a VAE without disentanglement hold the appearance themselves; the given one is not used then.
    """
    for start in range(0, len(motion_TCHW), FRAMES_AT_ONCE):
        motion_BCHW = motion_TCHW[start : start + FRAMES_AT_ONCE]
        with torch.inference_mode():
            appearance_BCHW = appearance_CHW.expand(len(motion_BCHW), -1, -1, -1)
            image_BCHW = (
                run.vae.decode(appearance_BCHW, motion_BCHW)
                if run.vae.config.disentangled
                else run.vae.decode(motion_BCHW, None)
            )
            frames = to_uint8(image_BCHW)
        yield from frames
