import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from training import ExperimentTable, experiment_rows, train_and_evaluate
from training.experiments.experiment import Experiment, ExperimentError, experiments_of, load_experiment
from training.results import TrainingResult

FIVE = {"fid": 20.5, "lpips": None, "psnr": 23.456, "akd": 3.0, "msi": 1.0}


class _Trainers:
    """Stand in for trainers and evaluation: they note what they are asked, and make no network."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        self.overrides: dict[str, object] = {}
        self.stop_at: str | None = None
        for name, stand_in in (
            ("train_experiment", self.train),
            ("encode_latents", self.encode),
            ("evaluate_run", self.evaluate),
        ):
            monkeypatch.setattr(experiment_rows, name, stand_in)

    def train(
        self, row: Experiment, _dataset: str, run: Path, *, vae: Path | None, **options: object
    ) -> TrainingResult:
        what = f"{'vae' if row.diffusion is None else 'motion'} {run.name}"
        self.done.append(what if vae is None else f"{what} on {vae.name}")
        self.overrides[what.partition(" ")[0]] = options["overrides"]
        stopped = signal.SIGINT if self.stop_at == run.name else None
        return TrainingResult(run=run, steps_done=1, steps=1, stopped_by=stopped)

    def encode(self, _dataset: str, vae: Path, **_: object) -> None:
        self.done.append(f"latents {vae.name}")

    def evaluate(self, run: Path, _dataset: str, out: Path, *, limit: int | None, device: str) -> object:
        self.done.append(f"measure {run.name}")
        assert (out.parent.name, limit, device) == ("evaluated", 3, "cpu")
        scores = {key: None if value is None else SimpleNamespace(value=value) for key, value in FIVE.items()}
        table = SimpleNamespace(table="reconstruction", systems=(SimpleNamespace(scores=scores),))
        return SimpleNamespace(
            protocols=(SimpleNamespace(table=table, generated=SimpleNamespace(protocol="self_reconstruction")),)
        )


@pytest.fixture
def trainers(monkeypatch: pytest.MonkeyPatch) -> _Trainers:
    return _Trainers(monkeypatch)


@pytest.fixture
def rows_of(tmp_path: Path) -> Callable[..., ExperimentTable]:
    def call(name: str, overrides: Sequence[str] = ()) -> ExperimentTable:
        return train_and_evaluate(name, "DATASET", tmp_path, size="tiny", device="cpu", limit=3, overrides=overrides)

    return call


def test_a_row_trains_what_it_lacks_and_is_measured_once(
    trainers: _Trainers, rows_of: Callable[..., ExperimentTable]
) -> None:
    table = rows_of("table6_without_head_pose", overrides=["vae.train.steps=5", "diffusion.train.seed=3"])
    vae = trainers.done[0].removeprefix("vae ")
    assert vae.startswith("vae_tiny_")
    assert trainers.done == [
        f"vae {vae}",
        f"latents {vae}",
        f"motion table6_without_head_pose on {vae}",
        "measure table6_without_head_pose",
    ]
    assert trainers.overrides == {"vae": {"train.steps": 5}, "motion": {"train.seed": 3}}
    header, _, line, rows = str(table).splitlines()
    assert "PSNR ↑ (self_reconstruction)" in header
    assert line.split()[-5:] == ["20.500", "-", "23.456", "3.000", "1.000"]
    assert rows.endswith("rows")
    assert table.left == ()
    n_done = len(trainers.done)
    again = rows_of("table6_without_head_pose", overrides=["vae.train.steps=5", "diffusion.train.seed=3"])
    assert (len(trainers.done), again.rows) == (n_done, table.rows)
    rows_of("table6_without_head_pose", overrides=["diffusion.train.seed=4"])
    assert len(trainers.done) > n_done


def test_rows_of_a_table_share_a_vae_and_are_measured_when_all_are_trained(
    trainers: _Trainers, rows_of: Callable[..., ExperimentTable]
) -> None:
    table = rows_of("table9")
    names = experiments_of("table9")
    assert [row.name for row in table.rows] == list(names)
    vaes = {one for one in trainers.done if one.startswith("vae ")}
    assert len(vaes) == 1
    assert trainers.done[-len(names) :] == [f"measure {name}" for name in names]


def test_rows_with_another_vae_or_other_data_have_a_vae_of_their_own(
    trainers: _Trainers, rows_of: Callable[..., ExperimentTable]
) -> None:
    rows_of("table4")  # three sizes, one of them on less data; with --size tiny the sizes are one
    assert len({one for one in trainers.done if one.startswith("vae ")}) == 2
    rows_of("table6")
    assert len({one for one in trainers.done if one.startswith("vae ")}) == 3


def test_a_stopped_table_says_what_is_left_and_goes_on(
    trainers: _Trainers, rows_of: Callable[..., ExperimentTable]
) -> None:
    names = experiments_of("table9")
    trainers.stop_at = names[1]
    table = rows_of("table9")
    assert (table.stopped_by, table.left) == (signal.SIGINT, names)
    assert not any(one.startswith("measure") for one in trainers.done)
    assert f"not done yet: {', '.join(names)}; the same command goes on" in str(table)
    trainers.stop_at = None
    assert rows_of("table9").left == ()


def test_a_row_that_no_protocol_measures_is_refused_alone_and_left_out_of_its_table(
    rows_of: Callable[..., ExperimentTable],
) -> None:
    assert "section5_text" not in experiments_of("section5")
    with pytest.raises(ExperimentError, match="train it with --train-only"):
        rows_of("section5_text")


def test_a_size_takes_the_place_of_those_of_the_row() -> None:
    row = load_experiment("table6_without_diffusion", "tiny")
    assert (row.vae_size, row.diffusion_size) == ("tiny", "tiny")
    assert row.diffusion is not None
    assert row.diffusion.objective == "regression"
    assert row.diffusion.width == load_experiment("table9_transformer", "tiny").diffusion.width  # type: ignore[union-attr]
