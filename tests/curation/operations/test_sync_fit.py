from pathlib import Path

from helpers.made_videos import SmallRun
from typer.testing import CliRunner

from curation.cli.app import app
from curation.operations.spoken_stretches import gather_stretches
from curation.output.folder import DatasetFolder
from curation.sources.scratch import ScratchSettings
from curation.speech.whisper import WhisperTinyEncoder


def test_stretches_are_the_speaking_faces_of_the_sources(small_run: SmallRun) -> None:
    folder = DatasetFolder.existing(small_run.dataset)
    said: list[tuple[int, int]] = []
    gathered = gather_stretches(
        folder, WhisperTinyEncoder(), ScratchSettings(), lambda done, total: said.append((done, total))
    )
    assert said[-1][0] == said[-1][1]
    assert gathered.left_out == ()
    assert gathered.stretches
    for one in gathered.stretches:
        assert one.lengths.shape == (len(one), 26)
        assert one.speech.shape == (len(one), 384)
        assert len(one) >= 60


def test_a_dataset_with_too_little_ends_with_2_and_writes_nothing(small_run: SmallRun, tmp_path: Path) -> None:
    file = tmp_path / "own.safetensors"
    result = CliRunner().invoke(app, ["sync", "fit", str(small_run.dataset), "--out", str(file)])
    assert result.exit_code == 2
    assert "are too little: 10 files and 120 s are the least" in result.output
    assert not file.exists()


def test_a_folder_that_is_no_dataset_ends_with_2(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["sync", "fit", str(tmp_path)])
    assert result.exit_code == 2
    assert str(tmp_path) in result.output.replace("\n", "")
