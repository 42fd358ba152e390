import importlib.util
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement


@pytest.fixture(scope="module")
def pins(repository: Path) -> dict[str, str]:
    lines = (repository / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


@pytest.fixture(scope="module")
def pyproject(repository: Path) -> dict[str, Any]:
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))


def _declared(repository: Path) -> list[Requirement]:
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    return [Requirement(line) for line in [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]]


def _all_requirements(pyproject: dict[str, Any]) -> list[str]:
    optional = pyproject["project"]["optional-dependencies"]
    return [
        *pyproject["build-system"]["requires"],
        *pyproject["project"]["dependencies"],
        *(line for extra in optional.values() for line in extra),
        *pyproject["dependency-groups"]["dev"],
    ]


def test_every_dependency_states_both_ends_of_its_range(pyproject: dict[str, Any]) -> None:
    lines = _all_requirements(pyproject)
    assert len(lines) >= 60
    open_ended = [
        line
        for line in lines
        if {one.operator for one in Requirement(line).specifier} not in ({">=", "<"}, {"=="})  # exact: both ends
    ]
    assert open_ended == []


def test_what_is_locked_lies_within_every_range(pyproject: dict[str, Any], pins: dict[str, str]) -> None:
    asked = [Requirement(line) for line in _all_requirements(pyproject)]
    outside = [str(one) for one in asked if one.name in pins and not one.specifier.contains(pins[one.name])]
    assert outside == []
    # the extra of a store that no test reaches
    assert {one.name for one in asked} - set(pins) == {"gcsfs"}


def test_the_environment_of_lowest_versions_has_the_lower_end_of_every_range(
    repository: Path, pyproject: dict[str, Any]
) -> None:
    spec = importlib.util.spec_from_file_location("ends", repository / ".ci" / "ends.py")
    assert spec is not None
    assert spec.loader is not None
    ends = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(ends)
    lines = [*pyproject["project"]["dependencies"], *pyproject["project"]["optional-dependencies"]["s3"]]
    for name, version in ends.lowest_versions(lines).items():
        (asked, *_) = (Requirement(line) for line in lines if Requirement(line).name == name)
        assert asked.specifier.contains(version)
        assert version in {one.version for one in asked.specifier if one.operator in {">=", "=="}}
    with pytest.raises(ValueError, match=r"'types-pyyaml' in pyproject\.toml has no lower end"):
        ends.lowest_versions(["types-pyyaml"])


def test_every_declared_dependency_is_locked_within_its_range(repository: Path, pins: dict[str, str]) -> None:
    wrong = [str(asked) for asked in _declared(repository) if not asked.specifier.contains(pins.get(asked.name, "0"))]
    assert wrong == []


def test_lock_names_releases_that_any_machine_can_get(pins: dict[str, str]) -> None:
    assert [
        version for version in pins.values() if not re.fullmatch(r"[0-9]+(\.[0-9]+)*(\.post[0-9]+)?", version)
    ] == []
    assert [name for name in pins if name.startswith(("nvidia-", "cuda-"))] == []


def test_torch_is_locked_to_the_tested_release_and_stays_alone(repository: Path, pins: dict[str, str]) -> None:
    assert pins["torch"] == "2.13.0"
    assert not {"torchvision", "torchaudio"} & set(pins)
    (declared,) = (asked for asked in _declared(repository) if asked.name == "torch")
    assert not any(one.operator == "==" for one in declared.specifier)
