"""The page on weights says what the registry says."""

from pathlib import Path

from curation.asset_tables import with_assets_table
from foundation.weights import asset_names, asset_record


def test_the_page_shows_the_registry_of_now(repository: Path) -> None:
    text = (repository / "docs" / "reference" / "weights.md").read_text(encoding="utf-8")
    assert with_assets_table(text) == text, "run: python -m curation.asset_tables docs/reference/weights.md"
    for asset in map(asset_record, asset_names()):
        row = next(line for line in text.splitlines() if line.startswith(f"| `{asset.name}` |"))
        for part in (asset.licence, asset.files[0].sha256[:16], "| yes |" if asset.commercial_use else "| no |"):
            assert part in row
