"""The tree stays readable: small modules, small folders, and one meaning for a name."""

from collections import defaultdict
from pathlib import Path

import pytest
from helpers.file_order import LONGEST_FIRST, longest_first

PACKAGES = ("foundation", "manifests", "curation", "models", "training", "generation")

MAX_LINES = 300

MAX_MODULES = 20

SAME_ROLE = {
    "analyze": "measuring a video: `analysis` its decoded frames, `operations` all of it in memory",
    "app": "the commands of a program",
    "blocks": "layers that a network is made of",
    "cards": "cards of the models of a room",
    "clips": "clips of a dataset: `schema` declares their columns, `data` reads them for training",
    "config": "settings of a network, or of a part of training",
    "decide": "deciding: `decision` on one video's evidence, `operations` for a dataset",
    "encode": "writing in a compressed form: `media` video, `latents` the VAE's latents",
    "errors": "errors of a package",
    "folder": "`output`: the folder of a dataset; `layouts`: the layout that is a plain folder",
    "frames": "frames of a video: `schema` declares the columns of evidence, `media` decodes",
    "identities": "who is who: `schema` declares the table, `operations` fills it",
    "loss": "the loss that a network is trained with",
    "models": "the models of a room, built from its settings",
    "network": "a small network of a model of ours: `sync` applies it, `teaching` teaches it",
    "options": "options that several commands of a program share",
    "previews": "images of fixed samples, made as a network trains",
    "progress": "lines that show how far a program is",
    "protocols": "interfaces that the models of a room implement",
    "remote": "files on object stores: `media` decodes them, `sources` lists them",
    "removals": "what was removed on request: `manifests` records it, `output` removes it",
    "report": "figures about a trained network",
    "rows": "rows of Parquet files: `packing` reads them forwards, `data` at random",
    "run_folder": "the folder of a training run: `models` knows its layout and reads it, `loop` writes it",
    "samples": "samples that a network trains on",
    "settings": "settings of a room or package",
    "tables": "tables of a dataset: `schema` declares them, `files` reads and writes them",
    "task": "what a training loop trains",
    "trial": "trial of what may fail on every video, before the first: the user's rules, the speech models",
    "validation": "metrics of a network on people held out, measured as it trains",
    "train": "training: `training` trains the networks of the paper, `teaching` the mask network",
}
"""Names that several modules have, each with the one meaning that it has in all of them."""

NO_NAMES = ("utils", "common", "helpers", "base", "misc")


def _modules(repository: Path) -> list[Path]:
    paths = [path.relative_to(repository) for package in PACKAGES for path in (repository / package).rglob("*.py")]
    return sorted(path for path in paths if path.name != "__init__.py")


def test_no_module_is_longer_than_300_lines(repository: Path) -> None:
    lines = {
        str(path): len((repository / path).read_text(encoding="utf-8").splitlines()) for path in _modules(repository)
    }
    assert {path: n for path, n in lines.items() if n > MAX_LINES} == {}


def test_no_folder_holds_more_than_20_modules(repository: Path) -> None:
    folders = defaultdict(list)
    for path in _modules(repository):
        folders[str(path.parent)].append(path.name)
    assert {folder: len(names) for folder, names in folders.items() if len(names) > MAX_MODULES} == {}


def test_a_name_that_several_modules_have_means_the_same_in_all_of_them(repository: Path) -> None:
    found = defaultdict(list)
    for path in _modules(repository):
        found[path.stem].append(str(path))
    shared = {name: paths for name, paths in found.items() if len(paths) > 1}
    assert {name: paths for name, paths in shared.items() if name not in SAME_ROLE} == {}
    assert [name for name in SAME_ROLE if name not in shared] == [], "these are not shared any more: remove them"


def test_no_module_has_a_name_without_a_subject(repository: Path) -> None:
    assert [str(path) for path in _modules(repository) if path.stem in NO_NAMES] == []


def test_the_files_of_tests_that_begin_first_exist(repository: Path) -> None:
    assert [name for name in LONGEST_FIRST if not (repository / name).is_file()] == []
    assert len(set(LONGEST_FIRST)) == len(LONGEST_FIRST)


def test_the_longest_files_of_tests_begin_first(request: pytest.FixtureRequest) -> None:
    items = request.session.items
    names = [item.nodeid.partition("::")[0] for item in longest_first(items)]
    listed = [name for name in dict.fromkeys(names) if name in LONGEST_FIRST]
    assert listed == [name for name in LONGEST_FIRST if name in names]
    assert names[len(names) - sum(name not in LONGEST_FIRST for name in names) :] == [
        name for name in (item.nodeid.partition("::")[0] for item in items) if name not in LONGEST_FIRST
    ]
