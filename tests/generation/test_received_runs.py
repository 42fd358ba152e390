"""A run folder that somebody else made: what generation reads of it is data, and lies in the folder."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from curation.perception.settings import PerceptionSettings
from curation.settings import CurationSettings
from generation import GenerationError
from generation.cli import app
from generation.trained_run import load_run
from models.run_folder import RunFolderError

READ = ("latest", "vae.safetensors", "dataset.json", "step_00000007/export/ema.safetensors", "step_00000007/export")


@pytest.fixture
def run(diffusion_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(diffusion_run, tmp_path / "run"))


@pytest.mark.parametrize("entry", READ)
@pytest.mark.parametrize("kind", ["a link", "a named pipe"])
def test_what_is_no_file_of_the_run_is_refused_without_waiting(
    run: Path, tmp_path: Path, entry: str, kind: str
) -> None:
    path = run / entry
    there = path.rename(tmp_path / "outside")
    if kind == "a link":
        path.symlink_to(there)
    else:
        os.mkfifo(path)
    with pytest.raises((RunFolderError, GenerationError), match=f"{kind}|has no export"):
        load_run(run, "cpu")


def test_the_command_ends_with_2_and_the_name(run: Path, portrait: Path, speech: Path, tmp_path: Path) -> None:
    (run / "latest").write_text("../../elsewhere")
    command = ["--run", run, "--portrait", portrait, "--speech", speech, "--out", tmp_path / "out.mp4"]
    done = CliRunner().invoke(app, [str(part) for part in command], catch_exceptions=False)
    assert done.exit_code == 2
    assert re.search(r"latest holds '\.\./\.\./elsewhere', which is\s+no name of a checkpoint", done.output)


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, "null", "[]", "{}", '{"config": 3}', '{"config": {"media": []}}']
)
def test_a_record_of_the_dataset_that_is_none_is_refused(run: Path, text: str) -> None:
    (run / "dataset.json").write_text(text)
    with pytest.raises(GenerationError, match=r"dataset\.json, which says how its data was made, cannot be used"):
        load_run(run, "cpu")


def test_a_run_folder_chooses_no_mask_classifier_outside_of_it(made_run: Callable[..., Path], tmp_path: Path) -> None:
    secret = tmp_path / "secret.onnx"
    secret.write_bytes(b"secret")
    settings = CurationSettings(perception=PerceptionSettings(mask=str(secret)))
    run = made_run(settings=settings)
    assert json.loads((run / "dataset.json").read_text())["config"]["perception"]["mask"] == str(secret)
    assert load_run(run, "cpu").curation.perception == PerceptionSettings()
