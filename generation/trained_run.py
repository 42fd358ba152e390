"""Load a trained run for generation: its networks, and the settings that its training data was curated with."""

from dataclasses import dataclass
from pathlib import Path

from curation.model_registry import MASKS
from curation.perception.settings import PerceptionSettings
from curation.settings import CurationSettings
from foundation.errors import UsageError
from generation.measuring_models import MeasuringModels
from models.run_folder import RunFolder
from models.run_networks import RunNetworks, load_networks

__all__ = ["GenerationError", "TrainedRun", "load_run"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainedRun(RunNetworks):
    """Networks and settings of a run."""

    curation: CurationSettings
    """Settings of the dataset that it was trained on."""
    measuring: MeasuringModels
    """The models that its training data was made with."""


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
    networks, curation = load_networks(folder, device), _curation(folder)
    return TrainedRun(
        vae=networks.vae,
        renderer=networks.renderer,
        motion=networks.motion,
        facts=networks.facts,
        sde=networks.sde,
        label=networks.label,
        curation=curation,
        measuring=MeasuringModels(curation),
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
