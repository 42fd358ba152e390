"""The command `gaia-train vae`: teaches the networks that take faces apart into appearance and motion."""

import os

import typer

from training.cli_options import (
    AcceptChangesOption,
    ConfigOption,
    DatasetArgument,
    DeviceOption,
    DryRunOption,
    PresetOption,
    RunOption,
    SetOption,
    SizeOption,
    exit_codes,
)

__all__ = ["vae"]


def vae(
    dataset: DatasetArgument,
    run: RunOption,
    *,
    size: SizeOption = "small",
    preset: PresetOption = "recommended",
    config: ConfigOption = None,
    overrides: SetOption = None,
    device: DeviceOption = None,
    dry_run: DryRunOption = False,
    accept_changes: AcceptChangesOption = False,
) -> None:
    """Train the VAE on pairs of frames of clips; the same command again goes on where it was stopped."""
    with exit_codes():
        from manifests.storage import location
        from training.command import run_training
        from training.run_config import load_run_config
        from training.run_folder import RunFolder
        from training.vae_config import vae_config
        from training.vae_report import reconstruction_report, report_lines
        from training.vae_task import VaeTask

        settings = load_run_config(vae_config(size, preset), config, overrides or [])
        built: list[VaeTask] = []

        def task_of() -> VaeTask:
            built.append(VaeTask(location(dataset), settings))
            return built[0]

        run_training(
            task_of,
            lambda task: task.config,
            settings.train,
            preset=preset,
            run=run,
            device=device,
            dry_run=dry_run,
            accept_changes=accept_changes,
        )
        is_done = RunFolder(run).newest() == RunFolder(run).checkpoint(settings.train.steps)
        if is_done and not dry_run and os.environ.get("RANK", "0") == "0":
            where = next(built[0].vae.parameters()).device
            typer.echo("\n".join(report_lines(reconstruction_report(built[0], RunFolder(run), where))))
