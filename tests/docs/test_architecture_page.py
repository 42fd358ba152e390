"""The page on the architecture against the tree: its paths exist, and its floors are those of the contracts."""

import re
import tomllib
from pathlib import Path

import pytest

PAGE = "docs/explanation/architecture.md"
CELL = re.compile(r"`([a-z_]+(?:/|\.py))`")
PATH = re.compile(r"`((?:foundation|manifests|curation|models|training|generation)/[\w./]+)`")


def _tables(repository: Path) -> dict[str, list[list[str]]]:
    """Return by package the first column of its table, a list of names for each row."""
    tables: dict[str, list[list[str]]] = {}
    rows: list[list[str]] = []
    for line in (repository / PAGE).read_text(encoding="utf-8").splitlines():
        heading = re.match(r"\| (?:module or )?folder of `(\w+)/`", line)
        if heading:
            rows = tables[heading[1]] = []
        elif line.startswith("| `"):
            rows.append(CELL.findall(line.split("|")[1]))
        elif not line.startswith("|"):
            rows = []
    return tables


def test_every_path_of_the_page_exists(repository: Path) -> None:
    text = (repository / PAGE).read_text(encoding="utf-8")
    named = [
        *PATH.findall(text),
        *(f"{package}/{name}" for package, rows in _tables(repository).items() for row in rows for name in row),
    ]
    assert [path for path in named if not (repository / path).exists()] == []
    assert len(named) > 40


@pytest.mark.parametrize("package", ["curation", "manifests"])
def test_the_floors_of_a_package_are_those_of_its_contract(package: str, repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract.get("containers") == [package]]
    floors = [{name.removesuffix("/").removesuffix(".py") for name in row} for row in _tables(repository)[package]]
    assert floors == [set(layer.split(" | ")) for layer in layers]
