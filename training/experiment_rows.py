"""Rows of the paper's tables, from a dataset to their figures: what is missing is trained, then all of it is measured.

    FOLDER/vae_SIZE_DIGEST/    run of a VAE; rows with the same VAE share it
    FOLDER/NAME/               run of the motion model of a row
    FOLDER/evaluated/NAME/     videos that a row generated, and the tables of their measurements
    FOLDER/rows/NAME.json      figures of a row that is done

The same call goes on where it was stopped. All networks are trained before the first is measured: under torchrun one
process measures, and the others need not wait for it.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from signal import Signals

from pydantic import BaseModel, ConfigDict, ValidationError

from foundation.errors import UsageError
from foundation.settings import Overrides, settings_of
from foundation.storage.atomic import write_json_atomic
from foundation.storage.regular_files import read_small
from foundation.text import text_table
from training.comparison.table_columns import COLUMNS, TABLES
from training.experiment_training import train_experiment
from training.experiments.experiment import (
    Experiment,
    experiments_of,
    load_experiment,
    require_measured,
)
from training.launch import DeviceKind
from training.presets import PresetName, SizeName
from training.results import TrainingResult
from training.run_videos.evaluate_run import RunEvaluation, evaluate_run
from training.train import encode_latents

__all__ = ["ExperimentRow", "ExperimentTable", "train_and_evaluate"]

_TRAINERS = ("vae", "diffusion")

_MAX_BYTES = 2**24


class ExperimentRow(BaseModel):
    """Figures of a row that is done."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str
    """Of the experiment."""
    origin: str
    """Table and row of the paper."""
    settings_sha256: str
    """Of what the row was trained with: sizes, preset, settings."""
    run: str
    """Folder of the run that was measured."""
    figures: dict[str, float | None]
    """By `PROTOCOL.COLUMN`; None where a column could not be computed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExperimentTable:
    """Result of `train_and_evaluate`; its `str` is a table for people."""

    folder: Path
    """Of the runs and the rows."""
    rows: tuple[ExperimentRow, ...]
    """Those that are done, in the order of their names."""
    left: tuple[str, ...]
    """Names of rows that are not."""
    stopped_by: Signals | None = None
    """The signal that stopped a training."""
    rank: int = 0
    """Number of this process; the first, 0, has the table."""

    def __str__(self) -> str:
        """Return the figures of all rows, a column for each of the paper's."""
        keys = list(dict.fromkeys(key for row in self.rows for key in row.figures))
        cells = [[row.name, row.origin, *(_cell(row.figures.get(key), key) for key in keys)] for row in self.rows]
        header = ["experiment", "row of the paper", *(_heading(key) for key in keys)]
        lines = [text_table(header, cells, numeric=[False, False, *(True for _ in keys)])] if cells else []
        if self.left:
            lines.append(f"not done yet: {', '.join(self.left)}; the same command goes on")
        return "\n".join([*lines, f"rows: {self.folder / 'rows'}"])


def train_and_evaluate(
    name: str,
    dataset: str | Path,
    folder: str | Path,
    *,
    size: SizeName | None = None,
    preset: PresetName = "recommended",
    overrides: Overrides = (),
    device: DeviceKind | None = None,
    limit: int | None = None,
    wait: bool = False,
    on_trained: Callable[[TrainingResult], None] | None = None,
) -> ExperimentTable:
    """Train the networks of a row, or of all rows of a table, where they are missing, and measure them.

    Args:
        name: of a row, or of a table, such as `table6`, for all of its rows that are measured.
        dataset: folder of a dataset, or its address.
        folder: of the runs and figures; what is there is gone on with.
        size: of all networks, in place of those of the rows; None: as the paper has them.
        preset: how they are trained.
        overrides: settings by their names with the trainer before them, such as `vae.train.steps=1000`.
        device: where to train; None: on a GPU where there is one.
        limit: clips of each protocol that are measured; None: all of the test set.
        wait: wait while another command writes to a folder; otherwise that is an error.
        on_trained: called with the result of each training.

    Raises:
        ExperimentError: no protocol measures the row.
        GaiaError: dataset, settings or runs cannot be used; what is done stays.
        OSError: the disk refused; what is done stays.
    """
    out, rows = Path(folder), [load_experiment(one, size) for one in experiments_of(name)]
    by_trainer = _of_trainers(overrides)
    for row in rows:
        require_measured(row)
    call = _Call(dataset, out, preset, by_trainer, device, wait, on_trained)
    runs: dict[str, Path] = {}
    result = None
    for row in rows:
        if _done(out, row, call.digest(row)) is None:
            runs[row.name], result = call.trained(row)
            if result is not None and result.stopped_by is not None:
                return _table(out, rows, call, stopped_by=result.stopped_by, rank=result.rank)
    rank = 0 if result is None else result.rank
    if rank == 0:
        for row in (row for row in rows if row.name in runs):
            evaluation = evaluate_run(
                runs[row.name], dataset, out / "evaluated" / row.name, limit=limit, device=device or "auto"
            )
            write_json_atomic(_file(out, row.name), call.row(row, runs[row.name], evaluation).model_dump(mode="json"))
    return _table(out, rows, call, rank=rank)


@dataclass(frozen=True, slots=True)
class _Call:
    """Arguments that all rows share."""

    dataset: str | Path
    out: Path
    preset: PresetName
    overrides: Mapping[str, Mapping[str, object]]
    """By trainer."""
    device: DeviceKind | None
    wait: bool
    on_trained: Callable[[TrainingResult], None] | None

    def digest(self, row: Experiment) -> str:
        """Return the identity of what a row is trained with."""
        return _digest(
            [settings_of(row.vae), None if row.diffusion is None else settings_of(row.diffusion)],
            [str(self.dataset), self.preset, dict(row.data_changes)],
            {trainer: dict(values) for trainer, values in self.overrides.items()},
        )

    def trained(self, row: Experiment) -> tuple[Path, TrainingResult]:
        """Train what a row lacks; return the run to measure, and the result of the last training."""
        of_vae = row if row.diffusion is None else replace(row, diffusion=None, diffusion_size=None, data_changes={})
        identity = _digest(settings_of(row.vae), self.preset, dict(of_vae.data_changes), dict(self.overrides["vae"]))
        vae = self.out / f"vae_{row.vae_size}_{identity[:8]}"
        result = self._train(of_vae, vae, "vae")
        if row.diffusion is None or result.stopped_by is not None:
            return vae, result
        encode_latents(self.dataset, vae, device=self.device, wait=self.wait)
        return self.out / row.name, self._train(row, self.out / row.name, "diffusion", vae)

    def _train(self, row: Experiment, run: Path, trainer: str, vae: Path | None = None) -> TrainingResult:
        result = train_experiment(
            row,
            self.dataset,
            run,
            vae=vae,
            preset=self.preset,
            overrides=self.overrides[trainer],
            device=self.device,
            wait=self.wait,
        )
        if self.on_trained is not None:
            self.on_trained(result)
        return result

    def row(self, row: Experiment, run: Path, evaluation: RunEvaluation) -> ExperimentRow:
        """Return the figures of a row: the paper's columns of each protocol."""
        figures: dict[str, float | None] = {}
        for part in evaluation.protocols:
            (system,) = part.table.systems
            for column in TABLES[part.table.table].paper:
                score = system.scores.get(column)
                figures[f"{part.generated.protocol}.{column}"] = None if score is None else score.value
        return ExperimentRow(
            name=row.name, origin=row.origin, settings_sha256=self.digest(row), run=run.name, figures=figures
        )


def _of_trainers(overrides: Overrides) -> dict[str, dict[str, object]]:
    """Return settings by trainer and dotted name.

    Raises:
        UsageError: a name does not begin with a trainer.
    """
    import yaml

    found: dict[str, dict[str, object]] = {trainer: {} for trainer in _TRAINERS}
    given: Sequence[tuple[str, object]]
    if isinstance(overrides, Mapping):
        given = list(overrides.items())
    else:
        given = [(text.partition("=")[0], yaml.safe_load(text.partition("=")[2])) for text in overrides]
    for name, value in given:
        trainer, _, setting = name.partition(".")
        if trainer not in found or not setting:
            raise UsageError(
                f"--set {name}: a row has several networks; begin the name with vae. or diffusion., such as "
                f"vae.{name or 'train.steps'}"
            )
        found[trainer][setting] = value
    return found


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str, allow_nan=False).encode()).hexdigest()


def _file(folder: Path, name: str) -> Path:
    return folder / "rows" / f"{name}.json"


def _done(folder: Path, row: Experiment, digest: str) -> ExperimentRow | None:
    """Return the figures of a row that was trained with these settings; None: it is not done."""
    try:
        found = ExperimentRow.model_validate_json(read_small(_file(folder, row.name), _MAX_BYTES, follow_links=False))
    except (FileNotFoundError, ValidationError):
        return None
    return found if found.settings_sha256 == digest else None


def _table(
    folder: Path, rows: Sequence[Experiment], call: _Call, *, stopped_by: Signals | None = None, rank: int
) -> ExperimentTable:
    found = {row.name: _done(folder, row, call.digest(row)) for row in rows}
    return ExperimentTable(
        folder=folder,
        rows=tuple(row for row in found.values() if row is not None),
        left=tuple(name for name, row in found.items() if row is None),
        stopped_by=stopped_by,
        rank=rank,
    )


def _heading(key: str) -> str:
    """Return protocol and column, in words of the table.

    >>> _heading("self_reconstruction.psnr")
    'PSNR ↑ (self_reconstruction)'
    """
    protocol, _, column = key.partition(".")
    return f"{COLUMNS[column].heading} {COLUMNS[column].arrow}".rstrip() + f" ({protocol})"


def _cell(value: float | None, key: str) -> str:
    return "-" if value is None else f"{value:.{COLUMNS[key.partition('.')[2]].decimals}f}"
