"""Inputs and outputs of the motion diffusion model (GAIA section 4.3).

Shapes: B sequences, T frames, D numbers of the target per frame, F speech features, P = 3 angles, K tokens of a
reference frame, L tokens and G = 768 numbers of a text state, C channels of the network.
"""

from typing import NamedTuple

from torch import Tensor

__all__ = ["Conditions", "Dropped", "MotionInputs", "MotionPrediction"]


class MotionInputs(NamedTuple):
    """Conditions of one batch as the data has them; None where the config has no such condition."""

    mask_BT: Tensor
    """True in frames, False in padding after them; at least one True per sequence."""
    reference_BD: Tensor
    """Target of the reference frame, z^m(i), standardised."""
    speech_BTF: Tensor | None = None
    """Speech features z^s, one row per frame."""
    pose_deg_BTP: Tensor | None = None
    """Head pose x^p: pitch, yaw, roll in degrees. None: the predicted one is used."""
    text_BLG: Tensor | None = None
    """States of CLIP's text encoder."""
    text_mask_BL: Tensor | None = None
    """True up to the end-of-text token, False in padding."""
    known_BTD: Tensor | None = None
    """Coordinates that are given, for editing; values where `known_mask_BTD` is False are ignored."""
    known_mask_BTD: Tensor | None = None
    """True where a coordinate is given. None: none is."""


class Dropped(NamedTuple):
    """(B,) True where a condition is dropped and replaced by its learned null; None: nowhere."""

    speech_B: Tensor | None = None
    """Encoded speech, the pose included."""
    reference_B: Tensor | None = None
    text_B: Tensor | None = None


class Conditions(NamedTuple):
    """Encoded conditions, which are the same at every step of a sampler."""

    mask_BT: Tensor
    speech_BTC: Tensor | None
    """Encoded speech, the pose added."""
    reference_BKC: Tensor
    """K tokens, or one vector (K = 1) where the config adds the reference."""
    text_BLC: Tensor | None
    text_mask_BL: Tensor | None
    known_BTD: Tensor | None
    known_mask_BTD: Tensor | None
    predicted_pose_BTP: Tensor | None
    """Prediction of P, standardised; None without pose."""


class MotionPrediction(NamedTuple):
    """Output of a forward pass in training."""

    target_BTD: Tensor
    """Predicted z_0."""
    pose_BTP: Tensor | None
    """Predicted pose, standardised; None where the config has no pose."""
