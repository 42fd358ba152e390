"""Try both ends of the ranges in pyproject.toml: install each into an environment of its own and go all the way.

python .ci/ends.py FOLDER [--lowest PYTHON] [--newest PYTHON] [--only lowest|newest]

`lowest` has the first version of every range, on the oldest Python; `newest` what pip finds, without pre-releases, on
the newest. Each installs the project as a user does, without the development group, curates the sample video, trains
two steps of each network, generates a video, and curates again with parts of the preset `paper`: random weights for
wav2vec 2.0, and what GAIA_MODELS holds of the others. FOLDER has what is made; the same command again goes on there.
At the end stands a table of the versions.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent

EXTRAS = ("s3", "gs", "http")
"""Installed and imported, too. Those of `train-mask` teach a network from a checkout and are no part of the project."""

STEPS = "2"
"""Training steps of each network."""

STRETCH_S = 12
"""Seconds of the sample video that the parts of the preset `paper` measure, which are slow."""

PAPER_PARTS = {
    "scrfd_500m_bnkps.onnx": ("perception.faces=scrfd", "perception.scrfd=scrfd_500m_bnkps"),
    "mb05_120x120.pth": ("perception.pose=3ddfa_mb05",),
    "face_mask_detection.tflite": ("perception.mask=ssd",),
    "lr_asd_ava.pth": ("perception.speaking=lr_asd",),
}
"""Settings that a file in GAIA_MODELS makes possible."""

RANDOM_WAV2VEC2 = """
import sys, torch
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model
torch.manual_seed(0)
Wav2Vec2Model(Wav2Vec2Config(hidden_size=64, num_attention_heads=4, intermediate_size=128)).save_pretrained(sys.argv[1])
Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(sys.argv[1])
"""

_PROJECT = f"{REPOSITORY}[{','.join(EXTRAS)}]"

_RANGE = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*(?:==|>=)\s*([0-9][0-9A-Za-z.]*)")


def lowest_versions(requirements: Sequence[str]) -> dict[str, str]:
    """Return the lower end of each requirement by the name of its package.

    Args:
        requirements: as in pyproject.toml.

    Raises:
        ValueError: one has none.

    >>> lowest_versions(["av>=18,<20", "opencv-python==5.0.0.93", "moto[server]>=5.2,<6"])
    {'av': '18', 'opencv-python': '5.0.0.93', 'moto': '5.2'}
    """
    versions = {}
    for line in requirements:
        found = _RANGE.match(line)
        if found is None:
            raise ValueError(f"{line!r} in pyproject.toml has no lower end")
        versions[found[1]] = found[2]
    return versions


def main() -> None:
    """Try the ends that the command line names; exit with 1 where a command fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lowest", default="python3.11", help="Python of the lowest versions, default %(default)s")
    parser.add_argument("--newest", default="python3.12", help="Python of the newest versions, default %(default)s")
    parser.add_argument("--only", choices=("lowest", "newest"))
    options = parser.parse_args()
    declared = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    optional = declared["project"]["optional-dependencies"]
    lowest = lowest_versions(
        [*declared["project"]["dependencies"], *(line for one in EXTRAS for line in optional[one])]
    )
    build = lowest_versions(declared["build-system"]["requires"])
    installed = {}
    for end in ("lowest", "newest") if options.only is None else (options.only,):
        folder = options.folder.absolute() / end
        folder.mkdir(parents=True, exist_ok=True)
        python = _environment(folder / "venv", getattr(options, end))
        if end == "lowest":
            _install_lowest(python, folder, lowest, build)
        else:
            _run([*_pip_install(python), "--upgrade-strategy", "eager", _PROJECT])
        installed[end] = _versions(python)
        _try_all(python, folder)
    sys.stdout.write(_table(list(lowest), installed))


def _environment(folder: Path, python: str) -> Path:
    """Return the Python of an environment, made with `python` where it is not there."""
    inside = folder / "bin" / "python"
    if not inside.exists():
        if shutil.which(python) is None:
            sys.exit(
                f"{python} was not found; name it with --lowest or --newest, as LOWEST=PATH or NEWEST=PATH of make"
            )
        _run([python, "-m", "venv", str(folder)])
    return inside


def _install_lowest(python: Path, folder: Path, lowest: dict[str, str], build: dict[str, str]) -> None:
    """Install the project with the first version of every range, built with the first of those that build it."""
    install = _pip_install(python)
    _run([*install, f"pip=={lowest['pip']}"])
    files = folder / "constraints.txt", folder / "build_constraints.txt"
    for file, versions in zip(files, (lowest, build), strict=True):
        file.write_text("".join(f"{name}=={version}\n" for name, version in versions.items()), encoding="utf-8")
    _run([*install, "--constraint", str(files[0]), "--build-constraint", str(files[1]), _PROJECT])


def _pip_install(python: Path) -> list[str]:
    return [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "--upgrade"]


def _try_all(python: Path, folder: Path) -> None:
    """Curate, train and generate with the commands of an environment."""
    out, random = folder / "out", folder / "random-wav2vec2"
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"} | {
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "GAIA_VAE_STEPS": STEPS,
        "GAIA_DIFFUSION_STEPS": STEPS,
    }
    _run(["gaia-curate", "doctor"], environment)
    _run(["python", "-c", "import aiohttp, gcsfs, s3fs"], environment)
    _run(["bash", str(REPOSITORY / "examples" / "end_to_end.sh"), str(REPOSITORY / "samples"), str(out)], environment)
    _run(["gaia-curate", "validate", str(out / "dataset")], environment)
    _run(["python", "-c", RANDOM_WAV2VEC2, str(random)], environment)
    models = Path(os.environ.get("GAIA_MODELS", os.devnull))
    parts = [part for file, settings in PAPER_PARTS.items() if (models / file).is_file() for part in settings]
    settings = ["speech.encoder=wav2vec2", f"speech.wav2vec2.model={random}", *parts]
    stretch = folder / "stretch.csv"
    stretch.write_text(
        f"path,start_s,end_s\n{REPOSITORY}/samples/talking_astronaut.mp4,0,{STRETCH_S}\n", encoding="utf-8"
    )
    paper = ["gaia-curate", "run", "--source", str(stretch), "--out", str(out / "paper_parts")]
    _run([*paper, "--preset", "embedded", *(word for one in settings for word in ("--set", one))], environment)
    _run(["gaia-curate", "validate", str(out / "paper_parts")], environment)


def _versions(python: Path) -> dict[str, str]:
    """Return the installed versions by name, Python's own among them."""
    command = [str(python), "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"]
    listed = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    version = subprocess.run([python, "--version"], check=True, capture_output=True, text=True).stdout.split()[-1]
    return {"Python": version} | {one["name"].lower().replace("_", "-"): one["version"] for one in listed}


def _table(names: Sequence[str], installed: dict[str, dict[str, str]]) -> str:
    """Return the versions of the declared packages as a table of Markdown."""
    lines = [f"| package | {' | '.join(installed)} |", "|---" * (1 + len(installed)) + "|"]
    lines += [f"| {name} | {' | '.join(found[name] for found in installed.values())} |" for name in ("Python", *names)]
    return "\n".join(lines) + "\n"


def _run(command: Sequence[str], environment: dict[str, str] | None = None) -> None:
    sys.stdout.write(f"$ {' '.join(command) if '-c' not in command else command[0]}\n")
    sys.stdout.flush()
    done = subprocess.run(command, check=False, env=environment, cwd=Path.home())
    if done.returncode != 0:
        sys.exit(f"{command[0]} ended with code {done.returncode}")


if __name__ == "__main__":
    main()
