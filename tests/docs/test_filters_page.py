"""The pages on filters and configuration against the code: every rule, every setting, every default."""

import re
from pathlib import Path

import pytest
import yaml

from curation.decision.decide import RulesSettings
from curation.settings import CurationSettings, load_settings
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
    for word in ("**Asks**", "**A.1", "**Measured**", "**Misses**"):
        assert word in text
    # that of a file has one value for all of its seconds, and no distribution
    assert (f"](../images/filters_{rule}.png)" in text) == (rule != "generated")
    assert f"<!-- settings rules.{rule} begins -->" in text


def test_every_setting_of_the_rules_is_on_the_page(filters: str) -> None:
    for name in RulesSettings.model_fields:
        for setting in type(getattr(RulesSettings(), name)).model_fields:
            assert f"| `rules.{name}.{setting}` |" in filters


def test_the_configuration_page_has_every_leaf_of_the_settings(configuration: str) -> None:
    def leaves(tree: dict[str, object], prefix: str = "") -> list[str]:
        names = []
        for name, value in tree.items():
            names += leaves(value, f"{prefix}{name}.") if isinstance(value, dict) else [f"{prefix}{name}"]
        return names

    (table,) = re.findall(r"<!-- settings begins -->(.*?)<!-- settings ends -->", configuration, re.DOTALL)
    assert re.findall(r"^\| `([\w.]+)` \|", table, re.MULTILINE) == leaves(CurationSettings().model_dump())


def test_the_yaml_on_the_configuration_page_is_a_valid_configuration(configuration: str, tmp_path: Path) -> None:
    (example,) = re.findall(r"^```yaml\n(.*?)^```", configuration, re.DOTALL | re.MULTILINE)
    file = tmp_path / "example.yaml"
    file.write_text(example, encoding="utf-8")
    settings = load_settings(CurationSettings(), file, [])
    assert settings.rules.frontal.strict_deg == yaml.safe_load(example)["rules"]["frontal"]["strict_deg"]
    assert settings.crop == CurationSettings().crop
