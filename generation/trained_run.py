"""Load a trained run for generation: its networks, and the settings that its training data was curated with."""

from dataclasses import dataclass
from pathlib import Path

from curation.model_registry import MASKS
from curation.perception.settings import PerceptionSettings
from curation.settings import CurationSettings
from foundation.errors import UsageError
from models.motion.config import MotionDiffusionConfig
from models.motion.diffusion import MotionDiffusion
from models.run_folder import RunFolder
from models.vae.landmark_image import LandmarkImageConfig, LandmarkRenderer
from models.vae.vae import Vae, VaeConfig
from models.weights import WeightFacts, load_weights, read_facts

__all__ = ["GenerationError", "TrainedRun", "load_run"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainedRun:
    """Networks and settings of a run, in evaluation mode and on one device."""

    vae: Vae
    renderer: LandmarkRenderer
    """Renderer of landmarks in the style that the VAE was trained on."""
    motion: MotionDiffusion | None
    """None: the run is one of the VAE alone."""
    facts: WeightFacts
    """Landmark scheme, and speech encoder where there is a motion network."""
    curation: CurationSettings
    """Settings of the dataset that it was trained on."""
    label: str
    """Folder and step, for messages and for the tag in the video."""

    @property
    def size_px(self) -> int:
        """Width and height of its frames."""
        return self.vae.config.image_px


class GenerationError(UsageError):
    """A portrait, audio file, video or run cannot be used for a talking video; the message has the remedy."""


def load_run(run: Path, device: str) -> TrainedRun:
    """Return what a checkpoint of a run holds, on `device`: the newest, or the one that RUN/best or RUN/step_N names.

    Raises:
        RunFolderError: the folder is no run, or has no checkpoint yet.
        GenerationError: its dataset.json cannot be used.
        WeightsError: a file is damaged or holds another network.
    """
    folder = RunFolder.of(run)
    newest = folder.weights()
    has_motion = folder.holds(folder.vae)
    facts = read_facts(newest)
    vae_facts = WeightFacts(landmark_scheme=facts.landmark_scheme, speech_encoder=None)
    vae = load_weights(folder.vae if has_motion else newest, Vae, VaeConfig, vae_facts).to(device)
    motion = load_weights(newest, MotionDiffusion, MotionDiffusionConfig, facts).to(device) if has_motion else None
    image = LandmarkImageConfig(scheme=facts.landmark_scheme, image_px=vae.config.image_px)
    return TrainedRun(
        vae=vae,
        renderer=LandmarkRenderer(image).to(device),
        motion=motion,
        facts=facts,
        curation=_curation(folder),
        label=folder.label(),
    )


def _curation(run: RunFolder) -> CurationSettings:
    """Return the settings of the dataset that the run was trained on; nothing else of dataset.json is looked at."""
    path = run.dataset_record
    try:
        record = run.json(path)
        settings = CurationSettings.model_validate(record["config"] if isinstance(record, dict) else None)
    except (OSError, ValueError, KeyError, RecursionError) as error:  # pydantic's and the run's errors are ValueErrors
        raise GenerationError(
            f"--run {run.path}: {path.name}, which says how its data was made, cannot be used: {error}; copy that of "
            "the dataset there"
        ) from error
    if settings.perception.mask not in MASKS:
        # the path of somebody's own classifier: a run folder does not choose files outside of it
        perception = settings.perception.model_copy(update={"mask": PerceptionSettings().mask})
        return settings.model_copy(update={"perception": perception})
    return settings
