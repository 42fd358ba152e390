"""The pages on filters and configuration against the code: every rule, every setting, every default."""

import re
from pathlib import Path
from typing import Annotated

import pytest
import yaml
from pydantic import Field

from curation.decision.decide import RulesSettings
from curation.settings import CurationSettings, load_settings
from curation.settings_tables import settings_markdown, with_settings_tables
from foundation.settings import Settings
from manifests.vocabulary import RULES


@pytest.fixture(scope="module")
def filters(repository: Path) -> str:
    return (repository / "docs" / "explanation" / "how_a_second_is_decided.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def configuration(repository: Path) -> str:
    return (repository / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")


def section(page: str, rule: str) -> str:
    found = re.search(rf"^## `{rule}`\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE)
    assert found is not None, f"docs/explanation/how_a_second_is_decided.md has no section of the rule {rule}"
    return found[1]


def test_every_rule_has_a_section_in_the_order_in_which_they_are_asked(filters: str) -> None:
    assert tuple(re.findall(r"^## `(\w+)`$", filters, re.MULTILINE)) == RULES


@pytest.mark.parametrize("rule", RULES)
def test_a_section_says_what_is_asked_and_measured_and_missed_and_shows_it(filters: str, rule: str) -> None:
    text = section(filters, rule)
    for word in ("**Asks**", "**A.1", "**Measured**", "**Misses**", f"](../images/filters_{rule}.png)"):
        assert word in text
    assert f"<!-- settings rules.{rule} begins -->" in text


def test_every_setting_of_the_rules_is_on_the_page(filters: str) -> None:
    for name in RulesSettings.model_fields:
        for setting in type(getattr(RulesSettings(), name)).model_fields:
            assert f"| `rules.{name}.{setting}` |" in filters


@pytest.mark.parametrize("page", ["filters", "configuration"])
def test_the_tables_of_settings_are_those_of_the_code(page: str, request: pytest.FixtureRequest) -> None:
    text: str = request.getfixturevalue(page)
    assert "<!-- settings" in text
    assert with_settings_tables(text) == text, f"tables of {page}: python -m curation.settings_tables PAGE"


def test_the_configuration_page_has_every_leaf_of_the_settings(configuration: str) -> None:
    def leaves(tree: dict[str, object], prefix: str = "") -> list[str]:
        names = []
        for name, value in tree.items():
            names += leaves(value, f"{prefix}{name}.") if isinstance(value, dict) else [f"{prefix}{name}"]
        return names

    assert re.findall(r"^\| `([\w.]+)` \|", configuration, re.MULTILINE) == leaves(CurationSettings().model_dump())


def test_the_yaml_on_the_configuration_page_is_a_valid_configuration(configuration: str, tmp_path: Path) -> None:
    (example,) = re.findall(r"^```yaml\n(.*?)^```", configuration, re.DOTALL | re.MULTILINE)
    file = tmp_path / "example.yaml"
    file.write_text(example, encoding="utf-8")
    settings = load_settings(CurationSettings(), file, [])
    assert settings.rules.frontal.strict_deg == yaml.safe_load(example)["rules"]["frontal"]["strict_deg"]
    assert settings.crop == CurationSettings().crop


class Inner(Settings):
    reach_px: Annotated[float, Field(gt=0.0, le=8.0)] = 2.5
    """How far | how wide."""


class Outer(Settings):
    inner: Inner = Inner()
    wait_s: int = Field(default=3, ge=1)
    """How long
    to wait."""


def test_a_row_tells_name_default_unit_bounds_and_meaning() -> None:
    assert settings_markdown(Outer(), "x.").splitlines()[2:] == [
        r"| `x.inner.reach_px` | `2.5` | px | number, above 0, at most 8 | How far \| how wide. |",
        "| `x.wait_s` | `3` | s | whole number, at least 1 | How long to wait. |",
    ]


def test_a_mark_for_settings_that_there_are_not_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'rules\.blink'; there are media, "):
        with_settings_tables("<!-- settings rules.blink begins -->\n<!-- settings rules.blink ends -->\n")
