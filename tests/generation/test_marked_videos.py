"""The mark of generated videos: its id in report and tags, its absence with a reason, and `gaia-generate detect`."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from curation.media.encode import encode_mp4
from curation.media.mark.embedding import marked
from generation import GenerationError
from generation.cli import detect_app
from generation.mark_of_job import described
from generation.request import GenerationJob

MARK_ID = 0x3F0C2A7E91B4


@pytest.fixture(scope="module")
def wall() -> np.ndarray:
    rng = np.random.default_rng(2)
    return cv2.resize(rng.integers(60, 180, (16, 16, 3), np.uint8), (64, 64), interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope="module")
def marked_mp4(tmp_path_factory: pytest.TempPathFactory, wall: np.ndarray) -> Path:
    path = tmp_path_factory.mktemp("marked") / "talking.mp4"
    path.write_bytes(encode_mp4(marked([wall] * 100, MARK_ID), 64))
    return path


def test_the_id_is_the_beginning_of_sha256_of_the_description_without_it() -> None:
    description, mark_id = described({"run": "tiny", "seed": 0}, None)
    expected = hashlib.sha256(b'{"run": "tiny", "seed": 0}').hexdigest()[:12]
    assert json.loads(description) == {"run": "tiny", "seed": 0, "mark": expected}
    assert mark_id == int(expected, 16)


def test_an_empty_reason_for_no_mark_is_refused() -> None:
    with pytest.raises(GenerationError, match="--no-mark is empty; name why"):
        GenerationJob(run=Path("r"), portrait=Path("p"), out=Path("o.mp4"), speech=Path("s"), no_mark=" ")


def test_detect_prints_the_id(marked_mp4: Path) -> None:
    done = CliRunner().invoke(detect_app, [str(marked_mp4)])
    assert done.exit_code == 0
    assert done.stdout.startswith(f"{marked_mp4}: mark 3f0c2a7e91b4, score ")
    found = json.loads(CliRunner().invoke(detect_app, [str(marked_mp4), "--json"]).stdout)
    assert (found["mark_id"], found["first_s"], found["searched_s"]) == ("3f0c2a7e91b4", 0.0, 4.0)


def test_detect_ends_with_1_where_there_is_no_mark(wall: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "plain.mp4"
    path.write_bytes(encode_mp4([wall] * 100, 64))
    done = CliRunner().invoke(detect_app, [str(path), "--json"])
    assert done.exit_code == 1
    assert json.loads(done.stdout)["mark_id"] is None


def test_detect_refuses_what_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "text.mp4"
    path.write_text("no video")
    done = CliRunner().invoke(detect_app, [str(path)])
    assert done.exit_code == 2
    assert "text.mp4" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_detect_is_a_command_of_gaia_generate(marked_mp4: Path, command_environment: dict[str, str]) -> None:
    program = [sys.executable, "-c", "from generation.cli import main; main()", "detect", str(marked_mp4)]
    done = subprocess.run(program, env=command_environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "mark 3f0c2a7e91b4" in done.stdout
