"""The table of weights for the documentation, made from the registry.

    python -m curation.asset_tables                   prints it
    python -m curation.asset_tables docs/reference/weights.md    writes the table of the page anew

A page says where the table stands by the comments `<!-- assets begin -->` and `<!-- assets end -->`.
"""

import re
import sys
from pathlib import Path

from foundation.weights import Asset, PipSource, UrlSource, asset_names, asset_record
from foundation.weights.asset import Source
from foundation.weights.missing import megabytes

__all__ = ["assets_markdown", "with_assets_table"]

_HEADER = ("name", "what, and its file", "size", "licence", "commercial use", "sha256", "sources, in order")

_TABLE = re.compile(r"<!-- assets begin -->\n.*?<!-- assets end -->", re.DOTALL)


def assets_markdown() -> str:
    """Return a Markdown table with a row per asset."""
    rows = [_HEADER, ("---",) * len(_HEADER), *(_row(asset_record(name)) for name in asset_names())]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def with_assets_table(page: str) -> str:
    """Return the text of a page with the table between the marks made anew."""
    return _TABLE.sub(lambda _: f"<!-- assets begin -->\n{assets_markdown()}<!-- assets end -->", page)


def _row(asset: Asset) -> tuple[str, ...]:
    files = ", ".join(f"`{file.name}`" for file in asset.files)
    where = f"folder `{asset.name}`: {files}" if asset.is_folder else files
    digests = " ".join(f"`{file.sha256[:16]}`" for file in asset.files)
    return (
        f"`{asset.name}`",
        f"{asset.what} ({asset.kind}); {where}",
        megabytes(asset.size_bytes),
        f"[{asset.licence}]({asset.licence_url})",
        "yes" if asset.commercial_use else "no",
        digests if asset.is_pinned else f"{digests}, the rest at first use",
        "; ".join(map(_source, asset.sources)) or "none: see below",
    )


def _source(source: Source) -> str:
    if isinstance(source, PipSource):
        return f"package `{source.requirement}`"
    name = source.url.removeprefix("https://").partition("/")[0]
    return f"[{name}]({source.url})" if isinstance(source, UrlSource) else f"[{name}]({source.url}): `{source.member}`"


def _main(arguments: list[str]) -> None:
    if not arguments:
        sys.stdout.write(assets_markdown())
    for argument in arguments:
        page = Path(argument)
        page.write_text(with_assets_table(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    _main(sys.argv[1:])
