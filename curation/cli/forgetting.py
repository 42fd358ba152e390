"""The command `gaia-curate forget`: remove a person or videos, of a person found by a picture after a look."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import curation
from curation.cli.options import DatasetArgument, WaitOption, exit_codes, stop
from foundation.errors import EXIT_USAGE
from foundation.text import count_text, shown

if TYPE_CHECKING:
    from curation.operations.find_person import FoundPerson

__all__ = ["forget"]

FaceOption = Annotated[
    Path | None, typer.Option("--face", help="Photograph of the person, showing no other face.", show_default=False)
]

DistanceOption = Annotated[
    float | None,
    typer.Option(
        "--max-distance",
        min=0.0,
        help="With --face: largest distance of two descriptors that counts as the same person.",
        show_default="0.5 for dlib's",
    ),
]

SheetOption = Annotated[
    Path, typer.Option("--sheet", help="With --face: where to draw whom it found, until the removal.")
]


def forget(
    dataset: DatasetArgument,
    *,
    speaker: Annotated[str | None, typer.Option(help="Id of the person, as in the column speaker_id.")] = None,
    videos: Annotated[
        list[str] | None, typer.Option("--video", help="Id, path or name of a video; may be repeated.")
    ] = None,
    face: FaceOption = None,
    max_distance: DistanceOption = None,
    sheet: SheetOption = Path("found_person.png"),
    yes: Annotated[bool, typer.Option("--yes", help="With --face: remove without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be removed; remove nothing.")] = False,
    wait: WaitOption = False,
) -> None:
    """Remove a person, or single videos, from every table, the media and the records, for later runs too."""
    with exit_codes():
        if speaker is None and not videos and face is None:
            raise typer.BadParameter("say who: --speaker, --video or --face")
        named = list(videos or [])
        if face is not None:
            found = curation.find_person(dataset, face, max_distance=max_distance)
            typer.echo(found.text())
            if not yes and (found.videos or found.perhaps):
                _show(found, sheet)
            named += found.video_ids
            if not named and speaker is None and not found.incomplete:
                stop("nobody in the dataset is near enough to the face in the picture; nothing was removed", EXIT_USAGE)
            if named and not (yes or dry_run):
                _confirm(len(named))
        forgotten = curation.forget(dataset, speaker=speaker, videos=named, dry_run=dry_run, wait=wait)
        if face is not None and not (yes or dry_run):
            sheet.unlink(missing_ok=True)
        typer.echo(forgotten.text())


def _show(found: "FoundPerson", sheet: Path) -> None:
    from curation.operations.person_sheet import write_person_sheet

    write_person_sheet(sheet, found)
    typer.echo(shown(f"Pictures of them: {sheet}; delete that file when you have seen it."))


def _confirm(n_videos: int) -> None:
    """Go on if the user says so.

    Raises:
        Exit: the user does not, or there is no terminal to ask on.
    """
    if not sys.stdin.isatty():
        stop("nothing was removed: look at the pictures, then give the command again with --yes", EXIT_USAGE)
    if not typer.confirm(f"Remove {count_text(n_videos, 'video')} for good?"):
        stop("nothing was removed", EXIT_USAGE)
