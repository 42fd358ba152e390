"""Motion by a network of landmarks: sampled from speech, some of them given (GAIA section 5.4 and appendix D.2).

Shapes: T frames, K landmarks, D = 2 K coordinates, F speech features, C channels, H rows and W columns of a latent.
"""

import numpy as np
import torch
from torch import Tensor

from foundation.array_types import Float16Array, Float32Array, RgbImage
from models.face_motion import motion_of_landmarks, motion_of_speech, reference_motion
from models.motion.diffusion import MotionDiffusion
from models.motion.face_landmarks import outside_mouth_and_jaw
from models.motion.inputs import MotionInputs
from models.run_networks import RunNetworks
from models.sampling.editing import EditConfig
from models.sampling.sample_motion import MotionSampling, sample_motion
from models.sampling.samplers import SeededNoise

__all__ = ["landmarks_of_speech", "spoken_motion"]


def landmarks_of_speech(
    run: RunNetworks,
    network: MotionDiffusion,
    features: Float16Array,
    portrait_px: Float32Array,
    sampling: MotionSampling,
    seed: int,
    *,
    pose_deg: Float32Array | None = None,
    given_px: Float32Array | None = None,
) -> Float32Array:
    """Return (T, K, 2) landmarks that are sampled from speech, pixels of the crop.

    Args:
        run: of which `network` is the motion network.
        network: one of landmarks.
        features: (T, F) one row per frame.
        portrait_px: (K, 2) landmarks of the portrait, the reference.
        sampling: solver, guidance, windows; the solver is an `EditConfig` if landmarks are given.
        seed: of all the noise.
        pose_deg: (T, 3) pitch, yaw, roll in degrees; None: the network predicts them.
        given_px: (T, K, 2) landmarks, of which those outside mouth and jaw are in the result as they are; None: none.

    Raises:
        ValueError: the network is one of latents.
    """
    standard = network.landmarks
    if standard is None:
        raise ValueError(f"the target of the network is {network.config.target!r}; give one of landmarks")
    device = standard.mean_D.device
    # not inference_mode, which the method `guided` takes gradients in
    with torch.no_grad():
        speech_BTF = torch.from_numpy(np.ascontiguousarray(features))[None].to(device)
        inputs = MotionInputs(
            mask_BT=torch.ones(speech_BTF.shape[:2], dtype=torch.bool, device=device),
            reference_BD=standard.standardise(torch.from_numpy(portrait_px)[None].to(device), run.size_px),
            speech_BTF=speech_BTF,
            pose_deg_BTP=None if pose_deg is None else torch.from_numpy(pose_deg)[None].to(device),
        )
        if given_px is not None:
            known_BTD = standard.standardise(torch.from_numpy(given_px).to(device), run.size_px)[None]
            mask_D = outside_mouth_and_jaw(network.config).to(device)
            inputs = inputs._replace(known_BTD=known_BTD, known_mask_BTD=mask_D.expand_as(known_BTD))
        if isinstance(sampling.solver, EditConfig) and sampling.solver.method == "guided":
            network.requires_grad_(requires_grad=False)  # gradients go to the state alone
        standardised_BTD = sample_motion(network, inputs, SeededNoise([seed], device), sampling)
        landmarks_px: Float32Array = standard.restore(standardised_BTD[0], run.size_px).cpu().numpy()
    return landmarks_px


def spoken_motion(
    run: RunNetworks,
    network: MotionDiffusion,
    features: Float16Array,
    image: RgbImage,
    portrait_px: Float32Array,
    sampling: MotionSampling,
    seed: int,
    pose_deg: Float32Array | None = None,
) -> Tensor:
    """Return (T, C, H, W) motion latents sampled from speech, by a network of latents or of landmarks.

    Args:
        run: of which `network` is the motion network.
        network: of either.
        features: (T, F) one row per frame.
        image: (image_px, image_px, 3) the portrait.
        portrait_px: (K, 2) its landmarks, pixels of the image.
        sampling: solver, guidance, windows.
        seed: of all the noise.
        pose_deg: (T, 3) pitch, yaw, roll in degrees; None: the network predicts them.
    """
    if network.landmarks is None:
        reference_CHW = reference_motion(run, image, portrait_px)
        return motion_of_speech(run, network, features, reference_CHW, sampling, seed, pose_deg)
    landmarks_px = landmarks_of_speech(run, network, features, portrait_px, sampling, seed, pose_deg=pose_deg)
    return motion_of_landmarks(run, landmarks_px)
