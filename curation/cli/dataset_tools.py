"""Commands that make datasets of datasets: `gaia-curate merge`, `subset`, `split`, `export`."""

from typing import Annotated, Literal

import typer

from curation.cli.options import DatasetArgument, OutOption, SqlMemoryOption, SqlTimeoutOption, WaitOption, exit_codes
from foundation.text import shown
from manifests.query_limits import QUERY_MEMORY_GIB, QUERY_TIMEOUT_S

__all__ = ["export", "merge", "split", "subset"]

ShareOption = Annotated[
    float | None, typer.Option(min=0.0, max=0.5, help="Share of the hours; by default the dataset's own.")
]


def merge(
    first: DatasetArgument,
    second: Annotated[str, typer.Argument(help="Another, made with the same settings.", metavar="DATASET")],
    *,
    out: OutOption,
    wait: WaitOption = False,
) -> None:
    """Join two datasets that were made alike into a new one; who was removed from either is in neither's place."""
    with exit_codes():
        from curation.dataset_tools.merge import merge as joined

        typer.echo(joined(first, second, out, wait=wait).text())


def subset(
    dataset: DatasetArgument,
    *,
    where: Annotated[str, typer.Option(metavar="SQL", help="Condition over the columns of clips.")],
    out: OutOption,
    sql_timeout_s: SqlTimeoutOption = QUERY_TIMEOUT_S,
    sql_memory_gib: SqlMemoryOption = QUERY_MEMORY_GIB,
    wait: WaitOption = False,
) -> None:
    """Make a dataset of the clips that fulfil a condition, with all evidence of their videos."""
    with exit_codes():
        from curation.dataset_tools.subset import subset as chosen
        from manifests.reports.queries import QueryLimits

        limits = QueryLimits(timeout_s=sql_timeout_s, memory_gib=sql_memory_gib)
        typer.echo(chosen(dataset, where, out, limits=limits, wait=wait).text())


def split(
    dataset: DatasetArgument,
    *,
    by: Annotated[
        Literal["speaker"],
        typer.Option(help="What is in one split only: speakers and persons, as far as they are known, else videos."),
    ] = "speaker",
    val_share: ShareOption = None,
    test_share: ShareOption = None,
    wait: WaitOption = False,
) -> None:
    """Divide the clips into train, val and test anew, without regard to how they were divided before."""
    with exit_codes():
        from curation.dataset_tools.divide import divide

        shares = {"val_share": val_share, "test_share": test_share}
        assignment = divide(dataset, {name: share for name, share in shares.items() if share is not None}, wait=wait)
        if assignment.splits:
            typer.echo(f"Divided anew, by {by}. Judge models that were trained before on none of these clips.")
        typer.echo(shown(assignment.text(), several_lines=True))


def export(
    dataset: DatasetArgument,
    *,
    to: Annotated[
        Literal["webdataset", "hf", "lance", "lerobot"],
        typer.Option(
            help="webdataset: tars per split; hf: Parquet with the media in it; lance: a Lance dataset; "
            "lerobot: a LeRobotDataset v3 per tier."
        ),
    ],
    out: Annotated[str, typer.Option("--out", help="New folder for the export.", metavar="FOLDER")],
    shard_gib: Annotated[float, typer.Option(min=1e-5, max=64.0, help="Most that a file has, GiB.")] = 1.0,
    wait: WaitOption = False,
) -> None:
    """Write the clips, with media and arrays, in the format of another library."""
    with exit_codes():
        from curation.dataset_tools.export import export as exported

        typer.echo(exported(dataset, to, out, shard_gib=shard_gib, wait=wait).text())
