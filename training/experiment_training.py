"""Train one row of the paper's tables, as it is trained: with its networks and on its data."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from foundation.settings import Overrides, changed_settings, differences, overlaid, settings_of
from training.diffusion.config import diffusion_config
from training.diffusion.task import DiffusionTask
from training.experiments.experiment import Experiment, ExperimentError, load_experiment
from training.launch import DeviceKind, LaunchOptions
from training.presets import PresetName
from training.results import TrainingResult
from training.train import run_diffusion_training, run_vae_training
from training.vae.config import vae_config

__all__ = ["train_experiment"]


def train_experiment(
    experiment: str | Experiment,
    dataset: str | Path,
    run: str | Path,
    *,
    vae: str | Path | None = None,
    preset: PresetName = "recommended",
    config_file: Path | None = None,
    overrides: Overrides = (),
    device: DeviceKind | None = None,
    dry_run: bool = False,
    accept_changes: bool = False,
    allow_pickled_checkpoint: bool = False,
    wait: bool = False,
) -> TrainingResult:
    """Train what one row of the paper's tables trains, with its networks and its data; evaluation is not part of it.

    Args:
        experiment: name of a row, see `training.experiments`, or one of your own.
        dataset: folder of a dataset, or its address.
        run: as of `train_vae`, as are all other arguments but `vae`.
        vae: folder of a run of the VAE, for an experiment on the diffusion model, and only for one.
        preset: how it is trained.
        config_file: YAML file of settings, laid over those of the experiment.
        overrides: single settings, laid over both.
        device: where to compute.
        dry_run: take two steps and report; nothing is written.
        accept_changes: resume a run with other settings, or on other clips.
        allow_pickled_checkpoint: resume from a checkpoint of an earlier version.
        wait: wait while another training writes to the folder of the run; otherwise that is an error.

    Raises:
        ExperimentError: `vae` is missing or out of place.
        GaiaError: as of `train_vae` and `train_diffusion`.
        OSError: the disk refused; the last checkpoint is complete.
    """
    row = load_experiment(experiment) if isinstance(experiment, str) else experiment
    where = f"{row.name}.data"
    options = LaunchOptions(
        preset=preset,
        device=device,
        dry_run=dry_run,
        accept_changes=accept_changes,
        allow_pickled_checkpoint=allow_pickled_checkpoint,
        wait=wait,
    )
    if row.diffusion is None or row.diffusion_size is None:
        if vae is not None:
            raise ExperimentError(f"experiment {row.name} ({row.origin}) trains the VAE itself; leave out --vae")
        vae_base = vae_config(row.vae_size, preset)
        vae_base = replace(vae_base, model=row.vae, data=overlaid(vae_base.data, row.data_changes, where))
        vae_settings = changed_settings(vae_base, config_file, overrides)
        return run_vae_training(dataset, run, vae_settings, options)
    if vae is None:
        raise ExperimentError(
            f"experiment {row.name} ({row.origin}) trains the diffusion model on latents of a VAE; give --vae, the "
            f"folder of a run of `{_vae_command(row)}`"
        )
    base = diffusion_config(row.diffusion_size, preset)
    base = replace(base, model=row.diffusion, data=overlaid(base.data, row.data_changes, where))
    settings = changed_settings(base, config_file, overrides)

    def notes(task: DiffusionTask) -> Sequence[str]:
        changed = differences(settings_of(task.vae.config), settings_of(row.vae))
        listed = "; ".join(f"{name} is {values}" for name, values in changed.items()).replace(", was ", ", there ")
        return [f"the VAE in {vae} is not that of {row.origin}: {listed}"] if changed else []

    return run_diffusion_training(dataset, vae, run, settings, options, notes)


def _vae_command(experiment: Experiment) -> str:
    changes = [f" --set {change.replace('vae.', 'model.', 1)}" for change in experiment.changes if change[:4] == "vae."]
    return f"gaia-train vae DATASET --out VAE_RUN --size {experiment.vae_size}{''.join(changes)}"
