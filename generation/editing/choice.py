"""What is asked of an edited video: which video, and by which method."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from generation.trained_run import GenerationError, TrainedRun
from models.motion.diffusion import MotionDiffusion
from models.sampling.editing import EDITS, EditConfig, EditMethod

__all__ = ["EditChoice", "edit_choice", "require_editable"]

_TRAINED_BY = "gaia-train diffusion DATASET --vae VAE_RUN --out NEW_RUN --set model.target=landmarks"


@dataclass(frozen=True, kw_only=True, slots=True)
class EditChoice:
    """A talking video of which all is kept but mouth and jaw."""

    video: Path
    method: EditMethod = "mask_cond"
    """Way in which the landmarks of the video are given to the network."""
    dub: bool = False
    """Whether the face of the video itself speaks, and is put back into its pictures."""

    def __post_init__(self) -> None:
        if self.method not in get_args(EditMethod):
            raise GenerationError(f"--edit-method is {self.method!r}; give one of {', '.join(get_args(EditMethod))}")

    @property
    def option(self) -> str:
        """Option of the command that names the video."""
        return "--dub" if self.dub else "--edit"

    def solver(self, steps: int | None) -> EditConfig:
        """Return the solver, with `steps` times or, if None, as many as suit the method."""
        suited = EDITS[self.method]
        return replace(suited, steps=steps or suited.steps)


def edit_choice(edit: str | Path | None, dub: str | Path | None, method: EditMethod) -> EditChoice | None:
    """Return what the options ask for; None: nothing.

    Raises:
        GenerationError: both videos are named, or a method without a video.
    """
    if edit is not None and dub is not None:
        raise GenerationError("--edit and --dub were both given; give the one that is meant")
    if edit is not None:
        return EditChoice(video=Path(edit), method=method)
    if dub is not None:
        return EditChoice(video=Path(dub), method=method, dub=True)
    if method != "mask_cond":
        raise GenerationError(f"--edit-method is {method!r}, but no video is edited; give --edit VIDEO with it")
    return None


def require_editable(run: TrainedRun, network: MotionDiffusion, choice: EditChoice) -> None:
    """Refuse a run whose motion network cannot be given landmarks.

    Raises:
        GenerationError: it predicts latents, or was trained without given landmarks, and the method needs them.
    """
    if network.landmarks is None:
        raise GenerationError(
            f"{run.label} was trained on {network.config.target}, so that {choice.option} can give it no landmarks; "
            f"train a run that takes them: {_TRAINED_BY}"
        )
    if choice.method == "mask_cond" and not network.config.edit:
        raise GenerationError(
            f"{run.label} was trained without given landmarks (model.edit=false), so that --edit-method mask_cond is "
            f"not possible; give --edit-method repaint, or train a run that takes them: {_TRAINED_BY}"
        )
