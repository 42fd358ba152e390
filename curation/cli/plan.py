"""The command `gaia-curate plan`."""

from typing import Annotated

import typer

from curation.cli.options import (
    ConfigOption,
    ExecutorOption,
    GpusOption,
    LayoutOption,
    LimitOption,
    MemoryOption,
    OutOption,
    PresetOption,
    RayAddressOption,
    ScratchGibOption,
    ScratchOption,
    SetOption,
    SourceOption,
    WorkersOption,
    executor_of,
    exit_codes,
)

__all__ = ["plan"]


def plan(
    source: SourceOption,
    out: OutOption,
    *,
    layout: LayoutOption = "auto",
    preset: PresetOption = "paper",
    config: ConfigOption = None,
    overrides: SetOption = None,
    executor: ExecutorOption = "auto",
    workers: WorkersOption = 1,
    ray_address: RayAddressOption = None,
    gpus_per_worker: GpusOption = 0.0,
    worker_memory_gib: MemoryOption = None,
    scratch: ScratchOption = None,
    scratch_gib: ScratchGibOption = None,
    limit: LimitOption = None,
    share: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Look at this share of the videos, and at least at 5.")
    ] = 0.02,
    seed: Annotated[int, typer.Option(help="Another number looks at other videos.")] = 0,
) -> None:
    """Look at a few of the videos and say what `run` with the same options would take; writes nothing."""
    with exit_codes():
        from curation.operations.plan import Sampling
        from curation.operations.plan import plan as plan_library
        from curation.settings import PRESETS, load_settings

        settings = load_settings(PRESETS[preset], config, overrides or [])
        told = plan_library(
            source,
            out,
            settings,
            executor_of(
                *(executor, workers, ray_address, gpus_per_worker, worker_memory_gib),
                scratch=scratch,
                scratch_gib=scratch_gib,
            ),
            layout=layout,
            limit=limit,
            sampling=Sampling(share=share, seed=seed),
            say=lambda line: typer.echo(line, err=True),
        )
        typer.echo(told.text())
