"""The command `gaia-curate stats`."""

from typing import Annotated

import typer

from curation.cli.options import DatasetArgument, SqlMemoryOption, SqlTimeoutOption, exit_codes
from manifests.query_limits import QUERY_MEMORY_GIB, QUERY_TIMEOUT_S
from manifests.vocabulary import GROUPINGS

__all__ = ["stats"]


def stats(
    dataset: DatasetArgument,
    sql: Annotated[str | None, typer.Option(help="SQL query over videos, frames, spans, clips and drops.")] = None,
    *,
    by: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help=f"Compare groups of people instead: {', '.join(GROUPINGS)}."),
    ] = None,
    sql_timeout_s: SqlTimeoutOption = QUERY_TIMEOUT_S,
    sql_memory_gib: SqlMemoryOption = QUERY_MEMORY_GIB,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print speakers and hours, raw and kept, and why seconds were dropped; or the answer to an SQL query."""
    with exit_codes():
        from manifests import Dataset

        if sql is not None and by is not None:
            raise typer.BadParameter("give --by or --sql, not both")
        data = Dataset(dataset)
        if by is not None:
            groups = data.group_statistics(by)
            typer.echo(groups.json() if json else groups.text())
            return
        limits = {"timeout_s": sql_timeout_s, "memory_gib": sql_memory_gib}
        answer = data.query(sql, **limits) if sql is not None else data.statistics()
        typer.echo(answer.json() if json else answer.text())
