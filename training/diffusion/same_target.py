"""Refusal to go on with a run that learns something else.

That is latents in place of landmarks, other coordinates, or what another encoder made of speech or text.
"""

from typing import Literal

import torch

from foundation.settings import SettingsError
from models.motion.diffusion import MotionDiffusion
from models.run_folder import RunFolder
from models.tensor_files import open_tensors
from models.weights import read_facts

__all__ = ["require_same_encoder", "require_same_target"]

_TOLERANCE = 0.01
"""Standard deviations by which means may differ, and share by which deviations may: a few clips more or less hardly
change them, and the network does not notice."""

_NAMES = ("landmarks.mean_D", "landmarks.std_D")


def require_same_target(folder: RunFolder, model: MotionDiffusion) -> None:
    """Refuse a run that was begun with another target, or with landmarks of other statistics.

    Args:
        folder: of the run, which may have no checkpoint yet.
        model: the network that would learn.

    Raises:
        SettingsError: they differ.
    """
    if folder.newest() is None:
        return
    weights, ours = folder.weights(), model.landmarks
    with open_tensors(weights) as opened:
        held = [opened.get_tensor(name) for name in _NAMES if name in set(opened.keys())]
    if (len(held) == len(_NAMES)) != (ours is not None):
        raise SettingsError(
            f"{weights} was trained on {'landmarks' if held else 'latents'}, but model.target is "
            f"{model.config.target!r}; set model.target as in run.json, or name another run folder"
        )
    if ours is None:
        return
    mean_D, std_D = held
    same = mean_D.shape == ours.mean_D.shape and bool(
        (
            ((mean_D - ours.mean_D).abs() < _TOLERANCE * ours.std_D) & torch.isclose(std_D, ours.std_D, rtol=_TOLERANCE)
        ).all()
    )
    if not same:
        raise SettingsError(
            f"{weights} was trained on landmarks with other means or deviations, for the clips are others now; name "
            "another run folder"
        )


def require_same_encoder(run: RunFolder, encoder: str, condition: Literal["speech", "text"]) -> None:
    """Refuse to resume a run that was trained on features of speech, or states of text, of another encoder.

    Raises:
        SettingsError: the encoders differ.
    """
    if run.newest() is None:
        return
    weights = run.weights()
    recorded = read_facts(weights).speech_encoder
    if recorded != encoder:
        inputs = "speech features" if condition == "speech" else "states of text"
        raise SettingsError(
            f"{weights} was trained on {inputs} of {recorded!r}, but this dataset has those of {encoder!r}; name a "
            "dataset with the former, or another run folder"
        )
