"""The command `gaia-train latents`: encodes the clips of a dataset for the diffusion model."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from training.cli_options import exit_codes

__all__ = ["latents"]


def latents(
    dataset: Annotated[
        str, typer.Argument(help="Folder of a dataset, or its address.", metavar="DATASET", show_default=False)
    ],
    *,
    vae: Annotated[
        Path, typer.Option("--vae", help="Folder of a run of `gaia-train vae`.", metavar="VAE_RUN", show_default=False)
    ],
    where: Annotated[
        str | None, typer.Option(help="SQL condition over the view `clips`; default: all of tier diffusion.")
    ] = None,
    device: Annotated[
        Literal["cpu", "cuda"] | None, typer.Option(help="Default: a GPU where there is one.", show_default=False)
    ] = None,
) -> None:
    """Encode the clips of a dataset with a trained VAE, beside the dataset; clips that have latents are left alone."""
    from manifests.storage import location
    from training.dist import ranks_of_environment
    from training.latent_files import latents_folder
    from training.latents import write_latents
    from training.progress import TrainProgress
    from training.run_folder import RunFolder
    from training.selection import DataConfig, select_clips

    with exit_codes():
        weights = RunFolder(vae).weights("ema")
        index = select_clips(
            location(dataset), DataConfig(tiers=("diffusion",), splits=("train", "val", "test"), where=where)
        )
        with ranks_of_environment(device) as ranks, TrainProgress(sys.stderr, shown=ranks.first) as progress:
            progress.start(0, len(index))
            facts = write_latents(index, weights, ranks=ranks, on_clip=progress.advance)
    if facts is None:
        typer.echo("this process is done; others still encode")
        return
    typer.echo(f"latents: {latents_folder(location(dataset), facts.vae_sha256)}")
    typer.echo(f"{facts.clips - facts.damaged} clips, {facts.frames} frames")
    if facts.damaged:
        typer.echo(f"damaged clips, without latents: {facts.damaged}; `gaia-curate validate {dataset}` lists them")
        raise typer.Exit(1)
