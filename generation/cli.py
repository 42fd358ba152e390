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

exit_codes = partial(
    end_with_exit_code,
    "gaia-generate",
    files="the video",
    kept="no unfinished video was written, and what is finished stays",
)
"""Context of the command: turns errors that a user can correct into one line and an exit code."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

detect_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
"""`gaia-generate detect`, a program of its own: the options of `gaia-generate` stand without the name of a command."""

_SAMPLER = (
    "Solver of the reverse process. dpmpp_2m: equation 7 of GAIA by DPM-Solver++ 2M, 20 steps; sde_em: equation 6 by "
    "Euler-Maruyama, 100 steps; ode_heun: equation 7 by Heun's method, 25 steps; ode_euler_mid: equation 7 by Euler "
    "steps with slopes at their middles, 150 steps."
)

_EDIT_METHOD = (
    "How the landmarks of --edit or --dub are given to the network. mask_cond: as inputs, which it was trained with; "
    "repaint: noised forth and back, 500 runs of the network; guided: by gradients; replace: put over the prediction "
    "at every step, as the paper says it."
)


_LIST = (
    "CSV file with a video a row, in place of --portrait, --speech, --driving and --out: columns portrait, speech, "
    "driving, text, pose, out and seed. What an earlier command has made of it is kept."
)


@app.command(epilog="gaia-generate detect FILE finds the mark of such a video; see gaia-generate detect --help.")
def generate(
    run: Annotated[
        Path, typer.Option(help="Run folder of the trained networks, written by `gaia-train`.", show_default=False)
    ],
    out: Annotated[Path | None, typer.Option(help="MP4 file to write.", show_default=False)] = None,
    *,
    portrait: Annotated[
        Path | None, typer.Option(help="Image of a person. Needed with all but --dub and --list.", show_default=False)
    ] = None,
    jobs: Annotated[Path | None, typer.Option("--list", help=_LIST, show_default=False)] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(help="Parquet file with what became of each job of --list; by default beside the list."),
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes that make the videos of --list, above 1 on Ray.")] = 1,
    speech: Annotated[Path | None, typer.Option(help="Audio file of the speech that drives the portrait.")] = None,
    driving: Annotated[
        Path | None, typer.Option(help="Video whose face drives the portrait, instead of speech.")
    ] = None,
    edit: Annotated[
        Path | None,
        typer.Option(
            help="Video whose face drives all but mouth and jaw, which follow --speech; at least as long. Needs "
            "a run of model.target=landmarks."
        ),
    ] = None,
    dub: Annotated[
        Path | None,
        typer.Option(
            help="Video whose face itself speaks --speech, in its own picture; at least as long. Needs a run of "
            "model.target=landmarks."
        ),
    ] = None,
    edit_method: Annotated[
        Literal["mask_cond", "repaint", "guided", "replace"], typer.Option(help=_EDIT_METHOD)
    ] = "mask_cond",
    text: Annotated[
        str | None,
        typer.Option(help='Instruction such as "please smile", instead of both; "": motion without an instruction.'),
    ] = None,
    text_encoder: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER", help="CLIP's text encoder of the run's training; by default found by its recorded name."
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(help="Length of a video that --text drives, 1 to 10.")] = 4.0,
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
        float | None,
        typer.Option(
            help="Weight w of the speech and head pose, or of the text: x0 = x0(without) + w (x0(with) - x0(without)). "
            "By default 1 of speech, as in training and as fast, and 2.5 of text; other weights than 1 take two runs "
            "of the network per step.",
            show_default=False,
        ),
    ] = None,
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
    credentials: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            metavar="CERT.pem KEY.pem",
            help="Certificate and private key that sign the video, as Content Credentials (C2PA).",
            show_default=False,
        ),
    ] = None,
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
    """Make a talking video of a portrait, driven by speech, by another video or by an instruction."""
    with exit_codes():
        from generation import GenerationError, talking_video, talking_videos

        if jobs is not None:
            if variants != 1 or any(one is not None for one in (portrait, out, speech, driving, edit, dub, text)):
                raise GenerationError(
                    "--list names portraits, speech, driving videos and results itself; leave out --portrait, "
                    "--speech, --driving, --edit, --dub, --text, --out and --variants"
                )
            made = talking_videos(
                run,
                jobs,
                manifest=manifest,
                workers=workers,
                text_encoder=text_encoder,
                seconds=seconds,
                pose=pose,
                pose_amplitude=pose_amplitude,
                pose_offset=pose_offset,
                sampler=sampler,
                steps=steps,
                guidance=guidance,
                temperature=temperature,
                seed=seed,
                face=face,
                keep_background=keep_background,
                credentials=credentials,
                no_mark=no_mark,
                device=device,
                dry_run=dry_run,
                told=typer.echo,
            )
            typer.echo(str(made))
            raise typer.Exit(made.exit_code)
        if out is None:
            raise GenerationError("no --out was given; give an MP4 file to write, or a list of jobs by --list")
        if manifest is not None or workers != 1:
            raise GenerationError("--manifest and --workers go with --list; leave them out")
        result = talking_video(
            run,
            portrait=portrait,
            out=out,
            speech=speech,
            driving=driving,
            edit=edit,
            dub=dub,
            edit_method=edit_method,
            text=text,
            text_encoder=text_encoder,
            seconds=seconds,
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
            credentials=credentials,
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
