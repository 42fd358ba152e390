"""Write the generated tables of the documentation anew: settings, weights and columns of a dataset.

    python docs/make_tables.py            writes the tables of all pages
    python docs/make_tables.py --check    only lists pages with tables that differ, exit code 1 if there are any

Comments on a page mark the place of a table, such as `<!-- settings rules.frontal begins -->` up to
`<!-- settings rules.frontal ends -->`:

    settings              all settings of a curation run
    settings SECTION      those of a section, such as rules.frontal
    settings vae          all settings of `gaia-train vae`; of a section: vae:train
    settings diffusion    likewise
    assets                all weights
    schema                all tables and columns of a dataset
"""

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from curation.settings import PRESETS
from foundation.settings_text import settings_markdown
from foundation.text import megabytes
from foundation.weights import Asset, PipSource, UrlSource, asset_names, asset_record
from foundation.weights.asset import Source
from manifests.schema.tables import TABLES, type_name
from training.diffusion.config import diffusion_config
from training.vae.config import vae_config

__all__ = ["assets_markdown", "schema_markdown", "with_tables"]

_DOCS = Path(__file__).resolve().parent

_MARKED = re.compile(
    r"<!-- (?P<kind>settings|assets|schema)(?P<name> \S+)? (?P<begins>begins?) -->\n"
    r".*?<!-- (?P=kind)(?P=name)? (?P<ends>ends?) -->",
    re.DOTALL,
)

_ASSET_HEADER = ("name", "what, and its file", "size", "licence", "commercial use", "sha256", "sources, in order")


def with_tables(page: str) -> str:
    """Return the text of a page with every table between a pair of marks written anew.

    Raises:
        ValueError: a mark names settings that do not exist.
    """
    return _MARKED.sub(_written, page)


def _written(found: re.Match[str]) -> str:
    kind, name = found["kind"], found["name"] or ""
    match kind:
        case "settings":
            table = _settings_table(name.strip())
        case "assets":
            table = assets_markdown()
        case _:
            table = schema_markdown()
    return f"<!-- {kind}{name} {found['begins']} -->\n{table}<!-- {kind}{name} {found['ends']} -->"


def _settings_table(name: str) -> str:
    trainer, _, section = name.partition(":")
    settings: object
    others: Mapping[str, object]
    if trainer == "vae":
        settings = vae_config("small")
        sizes = {size: vae_config(size) for size in ("tiny", "base", "large")}
        others = {**sizes, "preset `paper`": vae_config("small", "paper")}
    elif trainer == "diffusion":
        settings = diffusion_config("small")
        sizes = {size: diffusion_config(size) for size in ("tiny", "base", "large")}
        others = {**sizes, "preset `paper`": diffusion_config("small", "paper")}
    else:
        settings, others, section = PRESETS["embedded"], {"preset `paper`": PRESETS["paper"]}, name
    return settings_markdown(settings, others, section)


def assets_markdown() -> str:
    """Return a Markdown table with a row per asset."""
    rows = [_ASSET_HEADER, ("---",) * len(_ASSET_HEADER), *(_asset_row(asset_record(name)) for name in asset_names())]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _asset_row(asset: Asset) -> tuple[str, ...]:
    files = ", ".join(f"`{file.name}`" for file in asset.files)
    files_text = f"folder `{asset.name}`: {files}" if asset.is_folder else files
    digests = " ".join(f"`{file.sha256[:16]}`" for file in asset.files)
    return (
        f"`{asset.name}`",
        f"{asset.what} ({asset.kind}); {files_text}",
        megabytes(asset.size_bytes),
        f"[{asset.licence}]({asset.licence_url})",
        "yes" if asset.commercial_use else "no",
        digests if asset.is_pinned else f"{digests}, the rest at first use",
        "; ".join(map(_source_text, asset.sources)) or "none: see below",
    )


def _source_text(source: Source) -> str:
    if isinstance(source, PipSource):
        return f"package `{source.requirement}`"
    host = source.url.removeprefix("https://").partition("/")[0]
    return f"[{host}]({source.url})" if isinstance(source, UrlSource) else f"[{host}]({source.url}): `{source.member}`"


def schema_markdown() -> str:
    """Return a section with a table of its columns for every table of a dataset."""
    parts = []
    for table in TABLES.values():
        parts += [f"### `{table.name}`", "", table.meaning, ""]
        parts += ["| column | type | shape | unit | null | meaning |", "|---|---|---|---|---|---|"]
        parts += [
            f"| `{c.name}` | {type_name(c)} | {c.shape} | {c.unit} | {'yes' if c.nullable else ''} | {c.meaning} |"
            for c in table.columns
        ]
        parts.append("")
    return "\n".join(parts)


def _main(arguments: list[str]) -> int:
    """Write the pages, or list those that differ; return the exit code."""
    differing = []
    for page in sorted(_DOCS.rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        written = with_tables(text)
        if written != text:
            differing.append(page)
            if arguments != ["--check"]:
                page.write_text(written, encoding="utf-8")
    for page in differing:
        sys.stdout.write(f"{page.relative_to(_DOCS.parent)}\n")
    return 1 if differing and arguments == ["--check"] else 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
