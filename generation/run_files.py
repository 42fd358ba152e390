"""Reading a run folder of `gaia-train vae` or `gaia-train diffusion`.

RUN/dataset.json                  how the data was made, as curation wrote it
RUN/step_N/export/ema.safetensors the network that was trained, its averaged weights
RUN/vae.safetensors               in a diffusion run: the VAE of its latents, with their statistics
"""

import json
from pathlib import Path

from curation.config import CurationSettings
from generation.errors import GenerationError
from generation.trained_run import TrainedRun
from models.landmark_image import LandmarkImageConfig, LandmarkRenderer
from models.motion_diffusion import MotionDiffusion, MotionDiffusionConfig
from models.vae import Vae, VaeConfig
from models.weights import WeightFacts, load_weights, read_facts

__all__ = ["load_run"]

_VAE = "vae.safetensors"


def load_run(run: Path, device: str) -> TrainedRun:
    """Return what the newest checkpoint of a run holds, on `device`.

    Raises:
        GenerationError: the folder is no run, or has no checkpoint yet.
        WeightsError: a file is damaged or holds another network.
    """
    newest = _newest_export(run)
    has_motion = (run / _VAE).is_file()
    vae_file = run / _VAE if has_motion else newest
    facts = read_facts(newest)
    of_vae = WeightFacts(landmark_scheme=facts.landmark_scheme, speech_encoder=None)
    vae = load_weights(vae_file, Vae, VaeConfig, of_vae).to(device)
    motion = load_weights(newest, MotionDiffusion, MotionDiffusionConfig, facts).to(device) if has_motion else None
    image = LandmarkImageConfig(scheme=facts.landmark_scheme, image_px=vae.config.image_px)
    return TrainedRun(
        vae=vae,
        renderer=LandmarkRenderer(image).to(device),
        motion=motion,
        facts=facts,
        curation=_curation(run),
        label=f"{run.name}/{newest.parent.parent.name}",
    )


def _newest_export(run: Path) -> Path:
    """Return the weights file of the newest checkpoint."""
    try:
        name = (run / "latest").read_text(encoding="utf-8").strip()
    except OSError as error:
        what = "has no checkpoint yet" if run.is_dir() else "is no folder"
        raise GenerationError(f"--run {run}: {what}; give the folder that `gaia-train ... --run` wrote") from error
    weights = run / name / "export" / "ema.safetensors"
    if not weights.is_file():
        raise GenerationError(f"--run {run}: `latest` names {name}, which has no {weights.relative_to(run / name)}")
    return weights


def _curation(run: Path) -> CurationSettings:
    """Return the settings of the dataset that the run was trained on; nothing else of dataset.json is looked at."""
    path = run / "dataset.json"
    try:
        return CurationSettings.model_validate(json.loads(path.read_text(encoding="utf-8"))["config"])
    except (OSError, ValueError, KeyError, TypeError) as error:  # pydantic's errors are ValueErrors
        raise GenerationError(
            f"--run {run}: {path.name}, which says how its data was made, cannot be used: {error}; copy that of the "
            "dataset there"
        ) from error
