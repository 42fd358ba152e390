"""The command `gaia-generate`: parses, calls one library function, prints what it returns, ends with an exit code."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from foundation.command_line import exit_codes as end_with_exit_code
from foundation.errors import EXIT_PROBLEMS
from foundation.program_end import run_program

__all__ = ["app", "detect", "detect_app", "generate", "main"]

exit_codes = partial(end_with_exit_code, "gaia-generate", files="the video", kept="no unfinished video was written")
"""Context of the command: turns errors that a user can correct into one line and an exit code."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

detect_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
"""`gaia-generate detect`, a program of its own: the options of `gaia-generate` stand without the name of a command."""

_SAMPLER = (
    "Solver of the reverse process. dpmpp_2m: equation 7 of GAIA by DPM-Solver++ 2M, 20 steps; sde_em: equation 6 by "
    "Euler-Maruyama, 100 steps; ode_heun: equation 7 by Heun's method, 25 steps; ode_euler_mid: equation 7 by Euler "
    "steps with slopes at their middles, 150 steps."
)


@app.command(epilog="gaia-generate detect FILE finds the mark of such a video; see gaia-generate detect --help.")
def generate(
    run: Annotated[
        Path, typer.Option(help="Run folder of the trained networks, written by `gaia-train`.", show_default=False)
    ],
    portrait: Annotated[Path, typer.Option(help="Image of a person.", show_default=False)],
    out: Annotated[Path, typer.Option(help="MP4 file to write.", show_default=False)],
    *,
    speech: Annotated[Path | None, typer.Option(help="Audio file of the speech that drives the portrait.")] = None,
    driving: Annotated[
        Path | None, typer.Option(help="Video whose face drives the portrait, instead of speech.")
    ] = None,
    pose: Annotated[
        str,
        typer.Option(
            help="Head poses, with --speech: predict (by the network), still (as in the portrait), a CSV or Parquet "
            "file with columns pitch, yaw and roll (degrees, 25 rows a second), a video whose poses are measured, or "
            'formulas of seconds such as "yaw=0,pitch=5*sin(2pi t/4)".'
        ),
    ] = "predict",
    pose_amplitude: Annotated[float, typer.Option(help="Factor of their deviations from their mean.")] = 1.0,
    pose_offset: Annotated[
        str, typer.Option(help='Degrees that are added to them, as formulas such as "yaw=10".', show_default=False)
    ] = "",
    sampler: Annotated[
        Literal["dpmpp_2m", "sde_em", "ode_heun", "ode_euler_mid"], typer.Option(help=_SAMPLER)
    ] = "dpmpp_2m",
    steps: Annotated[
        int | None, typer.Option(help="Times of the solver's grid; by default as many as suit it.", show_default=False)
    ] = None,
    guidance: Annotated[
        float,
        typer.Option(
            help="Weight w of the speech and head pose: x0 = x0(without) + w (x0(with) - x0(without)). 1 is as in "
            "training and as fast; other weights take two runs of the network per step."
        ),
    ] = 1.0,
    temperature: Annotated[
        float, typer.Option(help="Divisor of the initial noise z_1; above 1 the motion is calmer. 1 with sde_em.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the motion; the same seed gives the same video.")] = 0,
    variants: Annotated[
        int, typer.Option(help="Number of videos, of seeds from --seed on; of several, each name ends in its seed.")
    ] = 1,
    face: Annotated[
        str | None, typer.Option(help="Which face of the portrait: largest, or a number; 1 is the widest.")
    ] = None,
    keep_background: Annotated[
        bool,
        typer.Option("--keep-background", help="Show the whole picture of the portrait, not the square of its face."),
    ] = False,
    no_mark: Annotated[
        str | None,
        typer.Option(
            help="Leave out the invisible mark in the pictures; the value says why, and stands in its tags.",
            metavar="REASON",
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="Where to compute: auto, cpu, cuda or cuda:K.")] = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be done; write nothing.")] = False,
) -> None:
    """Make a talking video of a portrait, driven by speech or by another video."""
    with exit_codes():
        from generation import talking_video

        result = talking_video(
            run,
            portrait=portrait,
            out=out,
            speech=speech,
            driving=driving,
            pose=pose,
            pose_amplitude=pose_amplitude,
            pose_offset=pose_offset,
            sampler=sampler,
            steps=steps,
            guidance=guidance,
            temperature=temperature,
            seed=seed,
            variants=variants,
            face=face,
            keep_background=keep_background,
            no_mark=no_mark,
            device=device,
            dry_run=dry_run,
        )
        typer.echo(str(result))


@detect_app.command()
def detect(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Video of any origin.", show_default=False)],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object instead of a sentence.")] = False,
) -> None:
    """Find the invisible mark of a generated video, also in a copy that was encoded anew, scaled or cropped.

    The exit code is 1 where there is none. That a mark is missing does not say that a video is genuine.
    """
    with exit_codes():
        from generation import find_mark

        found = find_mark(file)
        typer.echo(found.json() if as_json else str(found))
    if found.mark_id is None:
        raise typer.Exit(EXIT_PROBLEMS)


def main() -> None:
    """Run the command line; the entry point of the package."""
    detects = sys.argv[1:2] == ["detect"]
    program = partial(detect_app, sys.argv[2:], prog_name="gaia-generate detect") if detects else app
    run_program("gaia-generate", program)
