"""States of the instructions of a dataset, as `gaia-train texts` writes them: `DATASET/text_states/<encoder>.parquet`.

<encoder> is the first 16 digits of the sha256 of the text encoder's files, so that states of another encoder, or of one
whose files have changed, are never taken for its own. Each different text is encoded once.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import torch

from foundation.array_types import Float16Array
from foundation.errors import UsageError
from foundation.storage.arrow import read_parquet
from foundation.storage.leases import require_lease
from manifests.files.cells import bad_cells
from manifests.files.names import file_in, files_of
from manifests.files.tables import write_parquet
from manifests.schema.arrow_arrays import array_column, numpy_of
from manifests.schema.columns import Column, Table
from models.text_encoder import STATE_WIDTH, TextEncoder, name_of_text_encoder

__all__ = ["TextStates", "TextStatesError", "read_text_states", "write_text_states"]

_FOLDER = "text_states"

TEXT_STATES = Table(
    name="text_states",
    meaning="One row per instruction, encoded by one text encoder.",
    row_group_rows=1000,
    columns=(
        Column(name="instruction", type=pa.string(), unit="", shape="", meaning="as in `clips`", nullable=False),
        Column(name="encoder", type=pa.string(), unit="", shape="", meaning="name and hash", nullable=False),
        Column(
            name="states",
            type=pa.list_(pa.list_(pa.float16(), STATE_WIDTH)),
            unit="",
            shape=f"[L,{STATE_WIDTH}]",
            meaning="last hidden states of the tokens, from the begin to the end of the text",
            nullable=False,
        ),
    ),
)


class TextStatesError(UsageError):
    """States of instructions are missing or damaged; the message has the command that makes them."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TextStates:
    """States of the instructions of a dataset."""

    encoder: str
    """Name and hash of the text encoder."""
    by_text: Mapping[str, Float16Array]
    """(L, 768) by instruction."""


def read_text_states(dataset: Path, model: str | None) -> TextStates:
    """Return the states of a dataset's instructions.

    Args:
        dataset: the folder.
        model: text encoder, as it was given to `gaia-train texts`; None: the only one whose states are there.

    Raises:
        TextStatesError: there are none, those of several, or the file is damaged.
        TextEncoderError: `model` is not on this machine.
    """
    if model is not None:
        name, sha256 = name_of_text_encoder(model)
        states = _read(_file(dataset, sha256))
        if states is None:
            raise TextStatesError(
                f"{dataset} has no states of its instructions by {name}; run `gaia-train texts {dataset} --encoder "
                f"{model}`"
            )
        return states
    files = files_of(dataset, _FOLDER, ".parquet")
    found = [states for file in files if (states := _read(file)) is not None]
    if len(found) == 1:
        return found[0]
    if not found:
        raise TextStatesError(
            f"{dataset} has no states of its instructions; run `gaia-train texts {dataset} --encoder FOLDER`, FOLDER "
            "being CLIP's text encoder"
        )
    raise TextStatesError(
        f"{dataset} has states of its instructions by {', '.join(states.encoder for states in found)}; name the text "
        "encoder with --set text.encoder=FOLDER"
    )


def write_text_states(
    dataset: Path, texts: Collection[str], model: str, *, device: torch.device, on_text: Callable[[], None]
) -> tuple[TextStates, int]:
    """Encode texts that have no states yet, and forget the states of all others.

    Args:
        dataset: the folder; no other process may write to it at the same time.
        texts: instructions of its clips.
        model: text encoder, a folder or a name.
        device: where to compute.
        on_text: called after each text that is encoded.

    Returns:
        All states, and how many texts were encoded now.

    Raises:
        TextEncoderError: the encoder is not on this machine, or is none.
        TextStatesError: the file of its states is damaged.
        OSError: the file cannot be written; it is as it was before.
    """
    name, sha256 = name_of_text_encoder(model)
    file = _file(dataset, sha256)
    before = _read(file)
    known = {} if before is None else dict(before.by_text)
    missing = sorted({*texts} - known.keys())
    if missing:
        encoder = TextEncoder(model, device)
        for text in missing:
            known[text] = encoder(text)
            on_text()
    states = TextStates(encoder=name, by_text={text: known[text] for text in sorted({*texts})})
    if before is None or before.by_text.keys() != states.by_text.keys():
        require_lease(dataset)
        write_parquet(file, _table(states), TEXT_STATES)
    return states, len(missing)


def _file(dataset: Path, sha256: str) -> Path:
    return file_in(dataset, f"{_FOLDER}/{sha256[:16]}.parquet")


def _table(states: TextStates) -> pa.Table:
    return pa.table(
        {
            "instruction": pa.array(list(states.by_text), pa.string()),
            "encoder": pa.array([states.encoder] * len(states.by_text), pa.string()),
            "states": array_column(list(states.by_text.values()), TEXT_STATES.column("states").type),
        }
    )


def _read(file: Path) -> TextStates | None:
    """Return the states in a file; None: it is not there.

    Raises:
        TextStatesError: it is damaged.
    """
    remedy = "delete it and run `gaia-train texts` again"
    if not file.exists():
        return None
    try:
        rows = read_parquet(file, [column.name for column in TEXT_STATES.columns]).cast(TEXT_STATES.arrow_schema())
        arrays = numpy_of(rows["states"])
        wrong = next(bad_cells(TEXT_STATES, rows), None)
    except (pa.ArrowException, ValueError, OSError, KeyError) as error:
        raise TextStatesError(f"{file} cannot be read: {error}; {remedy}") from error
    encoders = set(rows["encoder"].to_pylist())
    if wrong is not None or len(encoders) != 1 or any(array is None or not len(array) for array in arrays):
        raise TextStatesError(f"{file}: {wrong or 'its rows are not states of one encoder'}; {remedy}")
    by_text = dict(zip(rows["instruction"].to_pylist(), arrays, strict=True))
    return TextStates(encoder=encoders.pop(), by_text=by_text)
