import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement


@pytest.fixture(scope="module")
def pins(repository: Path) -> dict[str, str]:
    lines = (repository / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def _declared(repository: Path) -> list[Requirement]:
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    return [Requirement(line) for line in [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]]


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
