"""Library functions of the trainers: each does what its command of `gaia-train` does after parsing.

    from training import encode_latents, train_diffusion, train_vae

    train_vae("my-dataset", "runs/vae", size="tiny", overrides={"train.steps": 200})
    encode_latents("my-dataset", "runs/vae")
    train_diffusion("my-dataset", "runs/vae", "runs/motion", size="tiny")

Under `torchrun` every process makes the same call. The same call on the folder of a run resumes the run.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from foundation.settings import Overrides, changed_settings
from foundation.storage.locations import location
from manifests.record import read_dataset
from manifests.vocabulary import SPLITS
from models.run_folder import RunFolder
from training.data.config import DataConfig
from training.data.held_out_sources import held_out_sources, require_sources_of_vae, sources_in
from training.data.selection import select_clips
from training.diffusion.config import DiffusionConfig, diffusion_config
from training.diffusion.report import motion_report
from training.diffusion.report import report_lines as motion_lines
from training.diffusion.task import DiffusionTask
from training.evaluation.keypoint_check import keypoint_check
from training.latents.encode import write_latents
from training.latents.files import latents_folder
from training.launch import DeviceKind, LaunchOptions, launch, no_notes
from training.loop.parallel import ranks_of_environment
from training.loop.progress import TrainProgress
from training.loop.run_lease import held_by_ranks
from training.presets import PresetName, SizeName
from training.results import LatentsResult, TrainingResult
from training.vae.config import VaeTrainingConfig, vae_config
from training.vae.report import reconstruction_report
from training.vae.report import report_lines as reconstruction_lines
from training.vae.task import VaeTask

__all__ = ["encode_latents", "run_diffusion_training", "run_vae_training", "train_diffusion", "train_vae"]


def train_vae(
    dataset: str | Path,
    run: str | Path,
    *,
    size: SizeName = "small",
    preset: PresetName = "recommended",
    config_file: Path | None = None,
    overrides: Overrides = (),
    device: DeviceKind | None = None,
    dry_run: bool = False,
    accept_changes: bool = False,
    allow_pickled_checkpoint: bool = False,
    wait: bool = False,
) -> TrainingResult:
    """Train the VAE on pairs of frames of a dataset's clips (GAIA section 4.2).

    Args:
        dataset: folder of a dataset, or its address.
        run: folder of the run; a run that is there is resumed.
        size: of the networks.
        preset: how they are trained.
        config_file: YAML file of settings, laid over those of size and preset.
        overrides: single settings, laid over both.
        device: where to compute; None: on a GPU where there is one.
        dry_run: take two steps and report model, data, memory and time; nothing is written.
        accept_changes: resume a run with other settings, or on other clips, than it was begun with.
        allow_pickled_checkpoint: resume from a checkpoint of an earlier version; nothing in it is run.
        wait: wait while another training writes to the folder of the run; otherwise that is an error.

    Raises:
        GaiaError: settings, dataset, run folder, weights, memory or disk do not allow the run; the message says what to
            change, and `exit_code` what the command returns.
        OSError: the disk refused; the last checkpoint is complete.
    """
    settings = changed_settings(vae_config(size, preset), config_file, overrides)
    options = LaunchOptions(
        preset=preset,
        device=device,
        dry_run=dry_run,
        accept_changes=accept_changes,
        allow_pickled_checkpoint=allow_pickled_checkpoint,
        wait=wait,
    )
    return run_vae_training(dataset, run, settings, options)


def encode_latents(
    dataset: str | Path,
    vae: str | Path,
    *,
    where: str | None = None,
    device: DeviceKind | None = None,
    wait: bool = False,
) -> LatentsResult:
    """Encode the clips of tier `diffusion` with a trained VAE, into the dataset (GAIA section 4.3).

    Clips of the sources that the VAE holds out (`data.test_sources`) are left out, and clips that have latents are not
    encoded again. No other command writes to the dataset meanwhile: latents of a person whom `gaia-curate forget`
    removes would come back.

    Args:
        dataset: folder of a dataset, or its address.
        vae: folder of a run of `train_vae`.
        where: SQL condition over the view `clips`; None: all clips of the tier.
        device: where to compute; None: on a GPU where there is one.
        wait: wait while another command writes to the dataset; otherwise that is an error.

    Raises:
        GaiaError: dataset, run folder or condition cannot be used, or too many clips are damaged.
        OSError: the disk refused; what was written stays.
    """
    vae_run, folder = RunFolder.of(Path(vae)), location(str(dataset))
    weights = vae_run.weights("ema")
    read_dataset(folder)  # what is no dataset gets no lease
    held_out = sources_in(folder, held_out_sources(vae_run))
    selection = DataConfig(tiers=("diffusion",), splits=SPLITS, test_sources=held_out, where=where)
    with (
        ranks_of_environment(device) as ranks,
        held_by_ranks(folder, "gaia-train latents", ranks, wait=wait),
        TrainProgress(sys.stderr, visible=ranks.first) as progress,
    ):
        index = select_clips(folder, selection)
        progress.start(0, len(index))
        facts = write_latents(index, weights, ranks=ranks, on_clip=progress.advance)
    if facts is None:
        return LatentsResult(dataset=str(dataset), folder=None)
    return LatentsResult(
        dataset=str(dataset),
        folder=latents_folder(index.dataset, facts.vae_sha256),
        notes=index.left_out,
        clips=facts.clips - facts.damaged,
        frames=facts.frames,
        damaged=facts.damaged,
    )


def train_diffusion(
    dataset: str | Path,
    vae: str | Path,
    run: str | Path,
    *,
    size: SizeName = "small",
    preset: PresetName = "recommended",
    config_file: Path | None = None,
    overrides: Overrides = (),
    device: DeviceKind | None = None,
    dry_run: bool = False,
    accept_changes: bool = False,
    allow_pickled_checkpoint: bool = False,
    wait: bool = False,
) -> TrainingResult:
    """Train the motion diffusion model on the latents of a VAE (GAIA section 4.3).

    Args:
        dataset: folder of a dataset, or its address; `encode_latents` has encoded its clips with `vae`.
        vae: folder of a run of `train_vae`.
        run: as of `train_vae`, as are all other arguments.
        size: of the network.
        preset: how it is trained.
        config_file: YAML file of settings.
        overrides: single settings.
        device: where to compute.
        dry_run: take two steps and report; nothing is written.
        accept_changes: resume a run with other settings, or on other clips.
        allow_pickled_checkpoint: resume from a checkpoint of an earlier version.
        wait: wait while another training writes to the folder of the run; otherwise that is an error.

    Raises:
        GaiaError: as of `train_vae`, or the latents are missing.
        OSError: the disk refused; the last checkpoint is complete.
    """
    settings = changed_settings(diffusion_config(size, preset), config_file, overrides)
    options = LaunchOptions(
        preset=preset,
        device=device,
        dry_run=dry_run,
        accept_changes=accept_changes,
        allow_pickled_checkpoint=allow_pickled_checkpoint,
        wait=wait,
    )
    return run_diffusion_training(dataset, vae, run, settings, options)


def run_vae_training(
    dataset: str | Path, run: str | Path, settings: VaeTrainingConfig, options: LaunchOptions
) -> TrainingResult:
    """Train the VAE with all of its settings; see `train_vae`."""
    return launch(
        lambda: VaeTask(location(str(dataset)), settings, keypoint_check),
        lambda task, *where: [*task.caveats(), *reconstruction_lines(reconstruction_report(task, *where))],
        settings.train,
        RunFolder(Path(run)),
        options,
        "gaia-train vae",
    )


def run_diffusion_training(
    dataset: str | Path,
    vae: str | Path,
    run: str | Path,
    settings: DiffusionConfig,
    options: LaunchOptions,
    notes: Callable[[DiffusionTask], Sequence[str]] = no_notes,
) -> TrainingResult:
    """Train the motion diffusion model with all of its settings; see `train_diffusion`.

    Args:
        dataset: folder, or its address.
        vae: folder of the run of the VAE.
        run: folder of the run.
        settings: all of them.
        options: of the call.
        notes: sentences on what is unusual about the task.
    """

    def build() -> DiffusionTask:
        folder, vae_run = location(str(dataset)), RunFolder.of(Path(vae))
        require_sources_of_vae(folder, vae_run, settings.data.test_sources)
        return DiffusionTask(folder, vae_run.weights(), settings, vae_clips=vae_run.clips)

    return launch(
        build,
        lambda task, *where: [*task.caveats(), *motion_lines(motion_report(task, *where))],
        settings.train,
        RunFolder(Path(run)),
        options,
        "gaia-train diffusion",
        notes,
    )
