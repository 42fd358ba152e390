"""A task that trains in a moment, with all parts of a real one: masks, drawn noise, dropout, a critic, images.

`python tests/helpers/toy_task.py RUN NAME=VALUE...` trains it, under torchrun too. DIE_AFTER=N kills the
process before step N + 1, with SIGKILL.
"""

import errno
import hashlib
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import torch
import typer
from torch import Tensor, nn

from foundation.array_types import RgbImage
from foundation.program_end import run_program
from foundation.settings import changed_settings, settings_of
from models.run_folder import RunFolder
from models.run_record import DataRecord
from models.weights import WeightFacts
from training.cli.options import exit_codes
from training.data.identity import LearntData
from training.data.order import SampleKey
from training.data.randomness import draw_below, torch_generator
from training.loop.config import TrainConfig
from training.loop.loop import TrainReport, train
from training.loop.parallel import Ranks, ranks_of_environment
from training.loop.progress import TrainProgress
from training.loop.session import Session
from training.loop.task import Export, Step, Trainable
from training.loop.validation.held_out_metrics import Better, Sum, Validation, ValidationPass
from training.schedules import constant

WIDTH = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class ToyConfig:
    dropout: float = 0.0
    bad_from: int | None = None
    """First step whose gradients are not finite."""
    bad_every: int = 1
    """Steps from one such step to the next."""
    rate: float = 1e-2
    validates: bool = False
    train: TrainConfig = field(
        default_factory=lambda: TrainConfig(
            steps=10,
            batch=4,
            micro_batch=4,
            workers=0,
            precision="fp32",
            checkpoint_every=5,
            pictures_every=5,
            log_every=1,
            tensorboard=False,
        )
    )


class ToyBatch(NamedTuple):
    values: Tensor
    noise: Tensor
    mask: Tensor


@dataclass(frozen=True)
class ToySource:
    """Sequences of 3 to 9 rows, with noise that depends on the sample."""

    seed: int
    n_items: int = 11

    def __len__(self) -> int:
        return self.n_items

    def batch(self, keys: Sequence[SampleKey]) -> ToyBatch:
        misbehave_if_asked(keys)
        values, noise, lengths = [], [], []
        for key in keys:
            values.append(torch.randn(9, WIDTH, generator=torch_generator(self.seed, "values", key.item)))
            noise.append(torch.randn(9, WIDTH, generator=torch_generator(self.seed, "noise", key.epoch, key.item)))
            lengths.append(3 + draw_below(7, self.seed, "length", key.epoch, key.item))
        mask = torch.arange(9) < torch.tensor(lengths)[:, None]
        return ToyBatch(torch.stack(values), torch.stack(noise), mask)


class ToyBlock(nn.Sequential):
    """A block with code of its own, for torch compiles none of its own classes."""

    def forward(self, values: Tensor) -> Tensor:
        for layer in self:
            values = layer(values)
        return values


class ToyNetwork(nn.Module):
    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(ToyBlock(nn.Linear(WIDTH, WIDTH), nn.Dropout(dropout), nn.GELU()) for _ in range(2))
        self.last = nn.Linear(WIDTH, WIDTH)
        self.register_buffer("measured", torch.tensor(3.0, dtype=torch.float64))

    def forward(self, values: Tensor) -> Tensor:
        for block in self.blocks:
            values = values + block(values)
        return self.last(values)

    def twice(self, values: Tensor) -> Tensor:
        """A method other than `forward`."""
        return self.forward(2.0 * values)


class ToyValidation:
    """Squared error of the output on five fixed batches; half of them cannot measure `odd`, and none `never`."""

    metrics: ClassVar[Mapping[str, Better]] = {"error": "lower", "gain": "higher"}
    summed = ("error", "odd", "never")
    identity = "toy"

    def __init__(self, network: ToyNetwork) -> None:
        self._network = network

    def __len__(self) -> int:
        return 5

    def sums(self, number: int, where: ValidationPass) -> Mapping[str, Sum]:
        assert not self._network.training
        assert not torch.is_grad_enabled()
        values = torch.randn(1 + number, WIDTH, generator=torch_generator("validation", number))
        with where.autocast():
            squares = (self._network(0.9 * values).float() - values).square().mean(dim=1)
        error = Sum(float(squares.double().sum()), len(squares))
        return {"error": error, "odd": Sum(7.0, 1)} if number % 2 else {"error": error}

    def derived(self, means: Mapping[str, float]) -> Mapping[str, float]:
        return {"gain": -means["error"]}


class ToyTask:
    """The network removes noise; a critic, trained from step 3 on, distinguishes its output from the truth."""

    name, unit = "toy", "sequences"

    def __init__(self, config: ToyConfig) -> None:
        self.config = config
        torch.manual_seed(1)
        self.network, self.critic = ToyNetwork(config.dropout), nn.Linear(WIDTH, 1)
        self.source = ToySource(seed=config.train.seed)

    def trainables(self) -> Mapping[str, Trainable]:
        return {
            "network": Trainable(network=self.network, blocks=list(self.network.blocks), methods=("twice",)),
            "critic": Trainable(network=self.critic, blocks=[]),
        }

    def frozen(self) -> Sequence[nn.Module]:
        return []

    def optimisers(self) -> Sequence[torch.optim.Optimizer]:
        return [torch.optim.Adam(self.network.parameters()), torch.optim.Adam(self.critic.parameters())]

    def learning_rate(self, step: int) -> float:
        return constant(step, self.config.rate, warmup_steps=4)

    def backward(self, step: Step[ToyBatch]) -> Mapping[str, Tensor]:
        n_values = torch.stack([batch.mask.sum() for batch in step.batches]).sum() * WIDTH
        weight = step.ranks.size / step.ranks.sum(n_values)
        losses = []
        for batch in step.passes():
            with step.autocast():
                method = self.network.twice if step.number % 2 else self.network
                removed = method(batch.values + 0.1 * batch.noise)
            squares = (removed.float() - batch.values).square() * batch.mask[..., None]
            loss = weight * squares.sum()
            since_bad = -1 if self.config.bad_from is None else step.number - self.config.bad_from
            if since_bad >= 0 and since_bad % self.config.bad_every == 0 and step.ranks.rank == 0:
                loss = loss * float("nan")
            losses.append(loss.detach())
            if step.number >= 3:
                # As in a GAN: the gradient at the output, then the critic on the same output without a graph.
                image = removed.detach().requires_grad_()
                (gradient,) = torch.autograd.grad(self.critic(image).sum(), image)
                torch.autograd.backward([loss, removed], [torch.ones(()), 1e-3 * weight * gradient])
                margin = self.critic(removed.detach()).squeeze(-1) - self.critic(batch.values).squeeze(-1)
                (weight * torch.nn.functional.softplus(margin).mul(batch.mask).sum()).backward()
            else:
                loss.backward()
        return {"loss": torch.stack(losses).sum()}

    def previews(self) -> Mapping[str, RgbImage]:
        with torch.no_grad():
            image = self.network(torch.eye(WIDTH)).clamp(0.0, 1.0)
        return {"eye": np.repeat((255 * image[..., None]).to(torch.uint8).numpy(), 3, axis=2)}

    def validation(self) -> Validation | None:
        return ToyValidation(self.network) if self.config.validates else None

    def notes(self) -> Sequence[str]:
        return ()

    def export(self) -> Export:
        return Export(
            network="network",
            config=self.config,
            facts=WeightFacts(landmark_scheme="ibug68", speech_encoder=None),
        )

    def data_summary(self) -> str:
        return f"{len(self.source)} sequences"

    def data(self) -> LearntData:
        lines = tuple(f'["{item}", 9, 0]\n'.encode() for item in range(len(self.source)))
        digest = hashlib.sha256(b"".join(lines)).hexdigest()
        record = DataRecord(
            clips=len(lines), clips_sha256=digest, landmark_scheme="ibug68", clip_px=WIDTH, latents_sha256=None
        )
        return LearntData(record=record, lines=lines)

    def write_run_files(self, run: Path, *, accept_changes: bool) -> None:  # noqa: ARG002
        (run / "toy.txt").write_text("needed by generation\n")


def train_toy(
    run: Path,
    config: ToyConfig,
    ranks: Ranks | None = None,
    *,
    accept_changes: bool = False,
    allow_pickled_checkpoint: bool = False,
) -> TrainReport:
    return train(
        ToyTask(config),
        config.train,
        RunFolder(run),
        ranks or Ranks(device=torch.device("cpu")),
        preset="recommended",
        settings=settings_of(config),
        progress=TrainProgress(sys.stderr),
        accept_changes=accept_changes,
        allow_pickled_checkpoint=allow_pickled_checkpoint,
    )


def _die_before(step: int) -> None:
    take = Session.step

    def step_or_die(session, batches):  # noqa: ANN001, ANN202
        if session.progress.step == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return take(session, batches)

    Session.step = step_or_die


def die_if_asked() -> None:
    if "DIE_AFTER" in os.environ:
        _die_before(int(os.environ["DIE_AFTER"]))


def misbehave_if_asked(keys: Sequence[SampleKey]) -> None:
    """Do in a loader process what LOADER_FAULT says, after ten steps: a stopped one delivers nothing more."""
    fault = os.environ.get("LOADER_FAULT")
    if fault is None or keys[0].batch < 40:
        return
    if fault == "hang":
        time.sleep(1000.0)
    elif fault == "raise":
        raise OSError(errno.EIO, os.strerror(errno.EIO), "/made/up")
    else:
        os.kill(os.getpid(), signal.Signals[fault])


def command() -> None:
    """The main function of a program that trains the toy, which ends as `gaia-train` does."""
    run_program("gaia-train", _told)


def _told() -> None:
    try:
        with exit_codes():
            main()
    except typer.Exit as ended:
        sys.exit(ended.exit_code)


def main() -> None:
    torch.set_num_threads(1)
    die_if_asked()
    with ranks_of_environment("cpu") as ranks:
        train_toy(Path(sys.argv[1]), changed_settings(ToyConfig(), None, sys.argv[2:]), ranks)


if __name__ == "__main__":
    main()
