"""The command `gaia-train diffusion`: teaches motion latents to follow speech."""

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
    VaeRunOption,
    exit_codes,
)

__all__ = ["diffusion"]


def diffusion(
    dataset: DatasetArgument,
    vae: VaeRunOption,
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
    """Train the motion diffusion model on the latents of a VAE; the same command again goes on where it was stopped."""
    with exit_codes():
        from manifests.storage import location
        from training.command import run_training
        from training.diffusion_config import diffusion_config
        from training.diffusion_task import DiffusionTask
        from training.motion_report import motion_report, report_lines
        from training.run_config import load_run_config
        from training.run_folder import RunFolder

        settings = load_run_config(diffusion_config(size, preset), config, overrides or [])
        built: list[DiffusionTask] = []

        def task_of() -> DiffusionTask:
            built.append(DiffusionTask(location(dataset), RunFolder(vae).weights(), settings))
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
            where = next(built[0].model.parameters()).device
            typer.echo("\n".join(report_lines(motion_report(built[0], RunFolder(run), where))))
