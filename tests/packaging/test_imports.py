import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    *("torch", "ray", "cv2", "dlib", "mediapipe", "onnx", "onnxruntime", "ctranslate2", "decord", "scipy"),
    *("pandas", "transformers"),
)

REPORT_HEAVY = f"import sys; print(*sorted({{name.partition('.')[0] for name in sys.modules}} & set({HEAVY!r})))"

TRAINING_MACHINE = """
import importlib, pkgutil, sys
import torch, numpy, pyarrow, pyarrow.parquet

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
for package in ("models", "training"):
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        importlib.import_module(module.name)
"""

ABSENT_WHERE_ONLY_TRAINING_IS_DONE = (
    *("av", "ctranslate2", "cv2", "decord", "dlib", "duckdb", "mediapipe", "onnx", "onnxruntime", "ray"),
    *("pyloudnorm", "silero_vad", "soxr"),
)


def _run(*arguments: str, cwd: Path) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    "package",
    [
        "foundation",
        "manifests",
        "curation",
        "models",
        "training",
        "generation",
        "curation.cli.app",
        "training.cli.app",
        "generation.cli",
    ],
)
def test_importing_a_package_loads_nothing_heavy(package: str, tmp_path: Path) -> None:
    assert _run("-c", f"import {package}; {REPORT_HEAVY}", cwd=tmp_path) == ""


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    program = f"""
import atexit, sys
atexit.register(lambda: exec({REPORT_HEAVY!r}))
sys.argv = ["gaia-curate", "--help"]
from curation.cli.app import main
main()
"""
    printed = _run("-c", program, cwd=tmp_path)
    assert "Usage" in printed
    assert not set(printed.splitlines()[-1].split()) & set(HEAVY), printed.splitlines()[-1]


def test_the_cards_of_all_models_load_no_runtime(tmp_path: Path) -> None:
    runtimes = {*HEAVY, "ai_edge_litert", "insightface", "silero_vad"}
    program = f"""
import sys
from curation import model_registry
from curation.model_cards import ModelCard
for registry in vars(model_registry).values():
    if isinstance(registry, model_registry.ModelRegistry):
        for name in registry.built_in:
            registry.card(name, ModelCard)
print(*sorted({{name.partition('.')[0] for name in sys.modules}} & {runtimes!r}))
"""
    assert _run("-c", program, cwd=tmp_path) == ""


def test_every_module_of_every_package_can_be_imported() -> None:
    for package in ("foundation", "manifests", "curation", "models", "training", "generation"):
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            importlib.import_module(module.name)


@pytest.mark.slow
def test_models_and_training_can_be_imported_without_what_only_curation_needs(tmp_path: Path) -> None:
    _run("-c", TRAINING_MACHINE.format(absent=ABSENT_WHERE_ONLY_TRAINING_IS_DONE), cwd=tmp_path)


def test_imports_between_the_packages_go_one_way(repository: Path) -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter], cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "9 kept, 0 broken" in done.stdout
