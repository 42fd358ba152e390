"""One training a run folder, one writer of latents a dataset."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from helpers.other_command import held_elsewhere
from typer.testing import CliRunner

from foundation.errors import EXIT_CANNOT_START
from foundation.storage import leases
from foundation.storage.lease_record import LEASE, own_record
from foundation.storage.leases import LeaseHeldError, LeaseLostError, held
from models.run_folder import RunFolder
from models.vae.vae import Vae, VaeConfig
from models.weights import WeightFacts, save_weights
from training import encode_latents
from training.cli.app import app
from training.loop.parallel import Ranks, ranks_of_environment
from training.loop.run_lease import held_by_ranks

TINY = ["--size", "tiny", "--device", "cpu"]
for change in ("train.steps=2", "train.batch=2", "train.micro_batch=2", "model.width=4", "model.multipliers=[1,1,1]"):
    TINY += ["--set", change]
TINY += ["--set", "model.groups=2", "--set", "model.image_px=32", "--set", "check_pairs=2"]

VAE = VaeConfig(width=4, n_layers=1, multipliers=(1, 1, 1, 1), groups=2, image_px=64)


@pytest.fixture
def vae_run(tmp_path: Path) -> Path:
    run = tmp_path / "vae"
    weights = run / "step_00000001" / "export" / "ema.safetensors"
    save_weights(weights, Vae(VAE), VAE, WeightFacts(landmark_scheme="ibug68", speech_encoder=None))
    (run / "step_00000001" / "state.json").write_text("{}")
    (run / "latest").write_text("step_00000001")
    return run


def _refused(arguments: list[str], command: str) -> None:
    told = CliRunner().invoke(app, arguments)
    assert told.exit_code == EXIT_CANNOT_START, told.output
    assert f"`{command}` on host {os.uname().nodename}, process {os.getpid()}, since 20" in told.stderr


def test_a_second_training_in_a_run_folder_is_refused_and_leaves_it_alone(made_clips: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    with held_elsewhere(run, "gaia-train vae"):
        _refused(["vae", str(made_clips), "--out", str(run), *TINY], "gaia-train vae")
        assert [path.name for path in run.iterdir()] == [LEASE]
        told = CliRunner().invoke(app, ["vae", str(made_clips), "--out", str(run), *TINY, "--dry-run"])
        assert told.exit_code == 0, told.output


def test_latents_of_a_dataset_that_is_being_written_are_refused_and_write_nothing(
    vae_run: Path, tmp_path: Path, make_clips: Callable[..., Path]
) -> None:
    dataset = make_clips(tmp_path / "dataset", {"video": "a", "n_frames": 80})
    with held_elsewhere(dataset, "gaia-curate forget"):
        _refused(["latents", str(dataset), "--vae", str(vae_run), "--device", "cpu"], "gaia-curate forget")
    assert not (dataset / "latents").exists()
    assert encode_latents(dataset, vae_run, device="cpu").clips == 1
    assert not (dataset / LEASE).exists()


def test_latents_that_lost_the_dataset_to_a_removal_are_not_written(
    vae_run: Path, tmp_path: Path, make_clips: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = make_clips(tmp_path / "dataset", {"video": "a", "n_frames": 80})
    real = Vae.encode_motion

    def slow(self: Vae, images: torch.Tensor) -> object:
        (dataset / LEASE).write_text(own_record("gaia-curate forget").model_dump_json(), encoding="utf-8")
        return real(self, images)

    monkeypatch.setattr(Vae, "encode_motion", slow)
    with pytest.raises(LeaseLostError, match="held by `gaia-curate forget`"):
        encode_latents(dataset, vae_run, device="cpu")
    assert [path.suffix for path in dataset.rglob("latents/**/*") if path.is_file()] == []
    assert (dataset / LEASE).exists()  # the other's


def test_a_training_that_lost_its_folder_writes_no_checkpoint(
    made_clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.loop import loop

    run, real = tmp_path / "run", loop.save_checkpoint

    def taken_over(*arguments: object, **named: object) -> object:
        (run / LEASE).write_text(own_record("gaia-train vae").model_dump_json(), encoding="utf-8")
        return real(*arguments, **named)

    monkeypatch.setattr(loop, "save_checkpoint", taken_over)
    told = CliRunner().invoke(app, ["vae", str(made_clips), "--out", str(run), *TINY])
    assert told.exit_code == EXIT_CANNOT_START, told.output
    assert "nothing more is written" in told.stderr
    assert RunFolder(run).newest() is None


def _rank(rank: int, folder: Path, results: Path) -> None:
    os.environ |= {"WORLD_SIZE": "2", "RANK": str(rank), "LOCAL_RANK": str(rank), "MASTER_ADDR": "127.0.0.1"}
    os.environ["MASTER_PORT"] = (results / "port").read_text()
    leases._LOOK_S = 0.05
    with ranks_of_environment("cpu") as ranks:
        for wait in (False, True):
            try:
                with held_by_ranks(folder, "gaia-train vae", ranks, wait=wait):
                    leases.require_lease(folder)
                    token = leases.token_of(folder)
                    assert token is not None
                    (results / f"{rank}-{wait}").write_text(token.token)
            except LeaseHeldError as error:
                (results / f"{rank}-{wait}").write_text(str(error))
                dist.barrier()
                if rank == 0:
                    (results / "free").touch()


@pytest.mark.slow
def test_the_first_of_several_processes_holds_the_lease_for_all(tmp_path: Path) -> None:
    import socket
    import time

    from torch import multiprocessing

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        (tmp_path / "port").write_text(str(free.getsockname()[1]))
    folder = tmp_path / "run"
    with held(folder, "gaia-train vae"):
        ranks = multiprocessing.spawn(_rank, (folder, tmp_path), nprocs=2, join=False)
        while not (tmp_path / "free").exists():
            assert not ranks.join(timeout=0.1)
        time.sleep(1.0)
    while not ranks.join():
        pass
    assert f"process {os.getpid()}" in (tmp_path / "0-False").read_text()
    assert "the first process of this run says which" in (tmp_path / "1-False").read_text()
    tokens = [(tmp_path / f"{rank}-True").read_text() for rank in (0, 1)]
    assert tokens[0] == tokens[1]
    assert len(tokens[0]) == 32
    assert not (folder / LEASE).exists()


def test_a_single_process_needs_no_others(tmp_path: Path) -> None:
    with held_by_ranks(tmp_path, "gaia-train vae", Ranks(device=torch.device("cpu")), wait=False):
        assert (tmp_path / LEASE).exists()
    assert not (tmp_path / LEASE).exists()
