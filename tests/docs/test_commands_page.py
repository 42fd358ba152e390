"""The page on the commands against the programs: every command with its options, and every exit code."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperCommand, TyperGroup

from curation.cli.app import app as gaia_curate
from foundation import errors
from generation.cli import app as gaia_generate
from generation.cli import detect_app
from training.cli.app import app as gaia_train

OPTION = re.compile(r"`(--[a-z-]+)`")
GROUP = re.compile(r"\*([a-z]+)\*")
CELLS = re.compile(r"(?<!\\)\|")  # `vae\|diffusion` is one cell


def _section(repository: Path, title: str) -> str:
    page = (repository / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    return page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def _rows(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        if line.startswith("|") and not line.startswith("|---"):
            yield [cell.strip() for cell in CELLS.split(line)[1:-1]]


def _commands_of_page(section: str) -> dict[str, set[str]]:
    groups: dict[str, set[str]] = {}
    for first, second, *_ in _rows(section):
        for group in GROUP.findall(first):
            groups.setdefault(group, set()).update(OPTION.findall(second))
    commands = {}
    for first, _, *rest in _rows(section):
        if first.startswith("`"):
            name = re.sub(r" (?:\[?[A-Z]|vae\\).*", "", first.strip("`"))
            used = [groups[group] for group in GROUP.findall(rest[0])]
            commands[name] = set(OPTION.findall(rest[0])).union(*used)
    return commands


def _options(command: TyperCommand) -> set[str]:
    return {name for option in command.params for name in option.opts if name.startswith("--")} - {"--help"}


def _commands(command: TyperCommand | TyperGroup, name: str = "") -> Iterator[tuple[str, set[str]]]:
    if isinstance(command, TyperGroup):
        for part, inner in command.commands.items():
            yield from _commands(inner, f"{name} {part}".strip())
    else:
        yield name, _options(command)


@pytest.mark.parametrize(("title", "app"), [("gaia-curate", gaia_curate), ("gaia-train", gaia_train)])
def test_the_page_has_every_command_with_its_options(title: str, app: typer.Typer, repository: Path) -> None:
    program = typer.main.get_group(app)
    assert _commands_of_page(_section(repository, title)) == dict(_commands(program))


def test_the_page_has_every_option_of_gaia_generate(repository: Path) -> None:
    named = set(OPTION.findall(_section(repository, "gaia-generate")))
    programs = (gaia_generate, detect_app)
    assert named == set[str]().union(*(_options(typer.main.get_command(program)) for program in programs))


def test_the_page_has_every_exit_code(repository: Path) -> None:
    codes = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    listed = {int(code) for code, *_ in _rows(_section(repository, "Exit codes")) if code.isdigit()}
    assert listed == codes | {0}
