import json
from pathlib import Path

import pytest
from helpers.square_faces import square_video
from typer.testing import CliRunner

from training.cli.app import app


@pytest.fixture(autouse=True)
def _no_face_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: ())


def test_a_folder_of_results_becomes_a_table(tmp_path: Path) -> None:
    for folder, x in (("truth", 8), ("ours", 9)):
        square_video(tmp_path / folder / "a.mp4", [x + k for k in range(6)])
    command = ["evaluate", "--outputs", f"GAIA={tmp_path / 'ours'}", "--truth", str(tmp_path / "truth")]
    command += ["--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "Self-reconstruction (Table 2): 1 video, 1 system" in done.output
    assert "Not computed" in done.output
    assert "HeadGAN" in done.output
    again = CliRunner().invoke(app, [*command, "--json"])
    assert json.loads(again.output) == json.loads((tmp_path / "out" / "table.json").read_text())


def test_a_folder_that_does_not_match_ends_with_2_and_writes_nothing(tmp_path: Path) -> None:
    square_video(tmp_path / "truth" / "a.mp4", [8] * 3)
    square_video(tmp_path / "ours" / "other.mp4", [8] * 3)
    out = tmp_path / "out"
    done = CliRunner().invoke(
        app, ["evaluate", "--outputs", str(tmp_path / "ours"), "--truth", str(tmp_path / "truth"), "--out", str(out)]
    )
    assert done.exit_code == 2
    assert "there other, here a" in done.stderr
    assert not out.exists()
