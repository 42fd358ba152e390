from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from training.cli.app import app
from training.experiments.experiment import experiment_names, load_experiment


@pytest.fixture(scope="module")
def dataset(make_clips: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    clips = [{"video": name, "n_frames": 80} for name in ("a", "b")]
    return make_clips(tmp_path_factory.mktemp("data") / "dataset", *clips)


def _gaia_train(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    return done.exit_code, done.output


def test_the_list_names_every_experiment_its_row_and_what_differs() -> None:
    code, text = _gaia_train("experiments")
    assert (code, text) == _gaia_train("experiment", "--list")
    assert code == 0
    lines = {line.split()[0]: line for line in text.splitlines()}
    for name in experiment_names():
        assert load_experiment(name).origin in lines[name]
    assert "diffusion.objective=regression" in lines["table6_without_diffusion"]
    assert lines["table6_without_diffusion"].endswith("diffusion")
    assert lines["table4_vae_0080m_500h"].endswith("vae")
    assert lines["section5_text"].endswith("diffusion")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("table6_without_difusion",), "the nearest known one is 'table6_without_diffusion'"),
        (("table4_vae_0080m", "--vae", "VAE_RUN"), "trains the VAE itself; leave out --vae"),
        (
            ("table6_without_disentanglement",),
            "`gaia-train vae DATASET --out VAE_RUN --size base --set model.disentangled=false`",
        ),
        (("table9_transformer", "--vae", "VAE_RUN"), "VAE_RUN is no folder; give a folder that `gaia-train` wrote"),
        (("table4_vae_0080m_500h",), "data.hours_subset is 500 h, and the other conditions leave"),
        (("table7_voxceleb2",), "no clip is left by data.sources ['voxceleb2']"),
        (("table4_vae_0080m", "--set", "train.stepz=1"), "the nearest known one is 'train.steps'"),
    ],
)
def test_an_experiment_that_cannot_be_trained_ends_with_2(
    arguments: tuple[str, ...], message: str, dataset: Path, tmp_path: Path
) -> None:
    name, *options = arguments
    code, text = _gaia_train("experiment", name, dataset, "--out", tmp_path / "run", "--train-only", *options)
    assert code == 2
    assert message in text
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give NAME, DATASET and --out FOLDER; `gaia-train experiment --list` lists the rows"),
        (
            ("section5_text", "DATASET", "--out", "OUT"),
            "all protocols measure videos of speech; train it with --train-only",
        ),
        (("table6_without_difusion", "DATASET", "--out", "OUT"), "the nearest known one is 'table6_without_diffusion'"),
        (("table6", "DATASET", "--out", "OUT", "--vae", "VAE"), "--vae: for one network alone; give --train-only too"),
        (("table6", "DATASET", "--out", "OUT", "--set", "train.steps=1"), "begin the name with vae. or diffusion."),
    ],
)
def test_rows_that_cannot_be_had_end_with_2(
    arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, text = _gaia_train("experiment", *arguments)
    assert code == 2
    assert message in text
    assert not list(tmp_path.iterdir())
