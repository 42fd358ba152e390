"""The wheel as a user gets it: built from the checkout's files, installed where nothing of the checkout is seen."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PACKAGES = ("foundation", "manifests", "curation", "models", "training", "generation")


def _run(*command: str | Path, cwd: Path, allowed: tuple[int, ...] = (0,)) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in allowed, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("source")
    listed = _run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=repository)
    for name in filter(None, listed.split("\0")):
        if (repository / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(repository / name, source / name)
    folder = tmp_path_factory.mktemp("wheel")
    _run(
        *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"),
        *("--wheel-dir", folder, source),
        cwd=folder,
    )
    (built,) = folder.glob("gaia_avatar-*-py3-none-any.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`bin` of a new environment with the wheel and its dependencies.

    The dependencies, gigabytes of them, are lent by this environment through a line in a .pth file. The project itself
    is not: Python reads .pth files, by which an editable installation works, only in an environment's own folder.
    """
    root = tmp_path_factory.mktemp("environment")
    _run(sys.executable, "-m", "venv", "--without-pip", root, cwd=root)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(root), "platbase": str(root)}))
    _run(
        sys.executable, "-m", "pip", "--python", root, "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=root
    )
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return root / "bin"


def test_wheel_holds_the_six_packages_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    (top_level,) = (name for name in names if name.endswith(".dist-info/top_level.txt"))
    assert sorted(zipfile.ZipFile(wheel).read(top_level).decode().split()) == sorted(PACKAGES)
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == set(PACKAGES)


def test_wheel_holds_every_file_of_the_packages_but_the_training_of_the_mask_network(
    wheel: Path, repository: Path
) -> None:
    listed = _run("git", "ls-files", "-z", "--cached", "--", *PACKAGES, cwd=repository)
    wanted = {name for name in listed.split("\0") if name and (repository / name).is_file()}
    teaching = {name for name in wanted if name.startswith("curation/perception/masks/embedded/teaching/")}
    held = set(zipfile.ZipFile(wheel).namelist())
    assert teaching
    assert "curation/perception/masks/embedded/mask.onnx" in wanted
    assert wanted - teaching <= held
    assert not teaching & held


def test_wheel_holds_the_licence(wheel: Path) -> None:
    assert any(name.endswith("/licenses/LICENSE") for name in zipfile.ZipFile(wheel).namelist())


def test_packages_come_from_the_wheel_and_not_from_the_checkout(installed: Path, tmp_path: Path) -> None:
    program = f"import {', '.join(PACKAGES)}; print(curation.__file__)"
    origin = Path(_run(installed / "python", "-c", program, cwd=tmp_path).strip())
    assert origin.is_relative_to(installed.parent)


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("gaia-curate", ("run", "decide", "explain", "stats", "validate", "doctor")),
        ("gaia-train", ("vae", "latents", "diffusion", "params")),
        ("gaia-generate", ("--portrait", "--speech", "--driving")),
    ],
)
def test_command_helps_from_another_folder(
    installed: Path, tmp_path: Path, program: str, words: tuple[str, ...]
) -> None:
    printed = _run(installed / program, "--help", cwd=tmp_path)
    for word in words:
        assert word in printed


def test_doctor_runs_from_another_folder(installed: Path, tmp_path: Path) -> None:
    assert _run(installed / "gaia-curate", "doctor", cwd=tmp_path, allowed=(0, 3))


def test_every_module_of_the_wheel_can_be_imported(installed: Path, tmp_path: Path) -> None:
    program = (
        "import importlib, pkgutil\n"
        f"for package in {PACKAGES}:\n"
        "    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + '.'):\n"
        "        importlib.import_module(module.name)\n"
    )
    _run(installed / "python", "-c", program, cwd=tmp_path)
