"""Sample motion from conditions: the model S with guidance, windows, editing and a solver (GAIA section 4.3).

Shapes: B sequences, T frames, D numbers of the target per frame.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from foundation.text import count_text
from models.motion.diffusion import MotionDiffusion
from models.motion.inputs import Conditions, MotionInputs
from models.sampling.editing import EditConfig, Known, sample_edited
from models.sampling.guidance import GuidanceConfig, GuidedPredictor
from models.sampling.long_audio import LongAudioConfig, Window, blended
from models.sampling.samplers import SamplerConfig, SeededNoise, X0Predictor, sample
from models.sampling.sde import VpSde

__all__ = ["MotionSampling", "sample_motion"]


@dataclass(frozen=True, kw_only=True, slots=True)
class MotionSampling:
    """Solver, guidance, windows and process of sampling."""

    solver: SamplerConfig | EditConfig = field(default_factory=SamplerConfig)
    """An `EditConfig` if coordinates are given."""
    guidance: GuidanceConfig = field(default_factory=GuidanceConfig)
    long_audio: LongAudioConfig = field(default_factory=LongAudioConfig)
    sde: VpSde = field(default_factory=VpSde)
    """The process that the network was trained on."""


def sample_motion(network: MotionDiffusion, inputs: MotionInputs, noise: SeededNoise, config: MotionSampling) -> Tensor:
    """Return the (B, T, D) motion, standardised, float32.

    Args:
        network: in evaluation mode, on the device of `inputs` and `noise`.
        inputs: the conditions over all frames of the clip, of any number; with `known_BTD` and `known_mask_BTD` if the
            solver is an `EditConfig`. Sequences that are longer than a window have no padding.
        noise: source of all noise, with a seed for each sequence.
        config: the solver, guidance and windows. The editing method `guided` takes gradients and so cannot run under
            `torch.inference_mode`; all else can.

    Raises:
        ValueError: network, inputs, noise and config do not suit each other; the message says which.
    """
    _check(network, inputs, noise, config)
    solver, n_frames = config.solver, inputs.mask_BT.shape[1]
    # only a network that was trained with given coordinates takes them as inputs, and only with that method
    takes_known = isinstance(solver, EditConfig) and solver.method == "mask_cond"
    given_inputs = inputs if takes_known else inputs._replace(known_BTD=None, known_mask_BTD=None)

    def bind(window: Window) -> X0Predictor:
        return GuidedPredictor(network, _encoded(network, given_inputs, window), config.guidance)

    with torch.no_grad():
        predict = blended(bind, n_frames, config.long_audio)
        if isinstance(solver, EditConfig):
            return sample_edited(predict, noise, _known(inputs), config=solver, sde=config.sde)
        return sample(predict, noise, n_frames, network.config.target_dims, config=solver, sde=config.sde)


def _encoded(network: MotionDiffusion, inputs: MotionInputs, window: Window) -> Conditions:
    """Return the conditions of a window's frames, their speech encoded with the frames around them."""
    conditions = network.encode(
        inputs._replace(
            mask_BT=inputs.mask_BT[:, window.context],
            speech_BTF=_of_frames(inputs.speech_BTF, window.context),
            pose_deg_BTP=_of_frames(inputs.pose_deg_BTP, window.context),
            known_BTD=_of_frames(inputs.known_BTD, window.frames),
            known_mask_BTD=_of_frames(inputs.known_mask_BTD, window.frames),
        )
    )
    return conditions._replace(
        mask_BT=conditions.mask_BT[:, window.frames_in_context],
        speech_BTC=_of_frames(conditions.speech_BTC, window.frames_in_context),
        predicted_pose_BTP=_of_frames(conditions.predicted_pose_BTP, window.frames_in_context),
    )


def _of_frames(tensor_BTX: Tensor | None, frames: slice) -> Tensor | None:
    return None if tensor_BTX is None else tensor_BTX[:, frames]


def _known(inputs: MotionInputs) -> Known:
    if inputs.known_BTD is None or inputs.known_mask_BTD is None:
        raise ValueError(
            "the solver is an EditConfig, but MotionInputs.known_BTD or known_mask_BTD is None; give both, or a "
            "SamplerConfig"
        )
    return Known(inputs.known_BTD, inputs.known_mask_BTD)


def _check(network: MotionDiffusion, inputs: MotionInputs, noise: SeededNoise, config: MotionSampling) -> None:
    n_sequences, n_frames = inputs.mask_BT.shape
    if network.training:
        raise ValueError("the network is in training mode, in which dropout spoils every step; call its eval()")
    if noise.batch != n_sequences:
        raise ValueError(
            f"the noise has {count_text(noise.batch, 'seed')} for {count_text(n_sequences, 'sequence')}; give one for "
            "each"
        )
    if n_frames > config.long_audio.window_frames and not bool(inputs.mask_BT.all()):
        raise ValueError(
            f"the batch has {n_frames} frames, some of them padding, and windows have "
            f"{config.long_audio.window_frames}; sample sequences of different lengths one by one"
        )
    if isinstance(config.solver, SamplerConfig):
        if inputs.known_BTD is not None:
            raise ValueError(
                "MotionInputs.known_BTD is given, but the solver is a SamplerConfig, which does not keep to it; give "
                "an EditConfig, such as EDITS['mask_cond']"
            )
    elif config.solver.method == "mask_cond" and not network.config.edit:
        raise ValueError(
            "the solver is mask_cond, but the network was not trained to be given coordinates (edit is False); use "
            "EDITS['repaint']"
        )
