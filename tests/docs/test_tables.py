"""The generated tables of the documentation against the code."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from foundation.setting_facts import setting_facts
from foundation.weights import asset_names, asset_record
from training.diffusion.config import DiffusionConfig
from training.vae.config import VaeTrainingConfig

AGAIN = "write the tables of the documentation anew: python docs/make_tables.py"


@pytest.fixture(scope="module")
def make_tables(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_tables", repository / "docs" / "make_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_all_tables_are_those_of_the_code(repository: Path, make_tables: ModuleType) -> None:
    pages = {page: page.read_text(encoding="utf-8") for page in (repository / "docs").rglob("*.md")}
    for page, text in pages.items():
        assert make_tables.with_tables(text) == text, f"{page}: {AGAIN}"
    marks = [
        mark for text in pages.values() for mark in re.findall(r"^<!-- ([\w .:]+) begins? -->$", text, re.MULTILINE)
    ]
    assert {"settings", "settings vae", "settings diffusion", "assets", "schema"} <= set(marks)


@pytest.mark.parametrize(("trainer", "config"), [("vae", VaeTrainingConfig), ("diffusion", DiffusionConfig)])
def test_the_page_on_settings_has_every_setting_of_a_trainer(repository: Path, trainer: str, config: type) -> None:
    page = (repository / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    (table,) = re.findall(rf"<!-- settings {trainer} begins -->(.*?)<!-- settings {trainer} ends -->", page, re.DOTALL)
    assert re.findall(r"^\| `([\w.]+)` \|", table, re.MULTILINE) == list(setting_facts(config))


def test_the_page_on_weights_has_every_asset_with_licence_and_digest(repository: Path) -> None:
    text = (repository / "docs" / "reference" / "weights.md").read_text(encoding="utf-8")
    for asset in map(asset_record, asset_names()):
        row = next(line for line in text.splitlines() if line.startswith(f"| `{asset.name}` |"))
        for part in (asset.licence, asset.files[0].sha256[:16], "| yes |" if asset.commercial_use else "| no |"):
            assert part in row


@pytest.mark.parametrize("name", ["rules.blink", "vae:blink"])
def test_a_mark_for_settings_that_do_not_exist_is_refused(name: str, make_tables: ModuleType) -> None:
    with pytest.raises(ValueError, match=r"no section of settings '(rules\.)?blink'"):
        make_tables.with_tables(f"<!-- settings {name} begins -->\n<!-- settings {name} ends -->\n")


def test_check_writes_nothing_and_succeeds_where_all_tables_are_right(repository: Path) -> None:
    command = [sys.executable, "docs/make_tables.py", "--check"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), AGAIN + done.stderr
