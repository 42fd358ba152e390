"""Datasets as earlier versions wrote them: without the columns that came later."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from manifests.files.tables import table_files
from manifests.schema.tables import TABLES

__all__ = ["LATER_COLUMNS", "Doubting", "Steady", "forget_comparison", "make_older"]

LATER_COLUMNS = frozenset(column.name for table in TABLES.values() for column in table.columns if column.later)


def make_older(dataset: Path, *, record: bool = True) -> None:
    """Rewrite a dataset as it was before columns were added.

    Args:
        dataset: the folder.
        record: whether `dataset.json` does not describe them either; else only the files lack them.
    """
    for name in TABLES:
        for path in table_files(dataset, name):
            table = pq.read_table(path, partitioning=None)
            before = pa.schema(
                [field.with_type(_before(field.type)) for field in table.schema if field.name not in LATER_COLUMNS],
                metadata=table.schema.metadata,
            )
            older = [_as(table[field.name].combine_chunks(), field.type) for field in before]
            footer = pq.read_metadata(path).metadata
            with pq.ParquetWriter(path, before) as writer:
                writer.write_table(pa.table(older, schema=before), row_group_size=TABLES[name].row_group_rows)
                writer.add_key_value_metadata({k: v for k, v in footer.items() if k != b"ARROW:schema"})
    if record:
        path = dataset / "dataset.json"
        content = json.loads(path.read_text())
        content["tables"] = {name: told for name, told in content["tables"].items() if not TABLES[name].later}
        for described in content["tables"].values():
            described["columns"] = [one for one in described["columns"] if one["name"] not in LATER_COLUMNS]
        path.write_text(json.dumps(content))


def forget_comparison(dataset: Path, changed: Mapping[str, int]) -> None:
    """Make a dataset one of a version that did not compare lips with the sound.

    Args:
        dataset: the folder.
        changed: limits of the rule `sync` that it is to have been decided with.
    """
    make_older(dataset)
    record = json.loads((dataset / "dataset.json").read_text())
    for name in ("sync", "speaking"):
        del record["config"]["perception"][name]
    record["config"]["rules"]["sync"].update(changed)
    record["weights"] = [one for one in record["weights"] if one["name"] != "embedded_sync"]
    (dataset / "dataset.json").write_text(json.dumps(record))
    for path in (dataset / "ledger").glob("*.json"):
        row = json.loads(path.read_text())
        path.write_text(json.dumps({name: value for name, value in row.items() if name not in LATER_COLUMNS}))


class Steady:
    """A comparison with the same score on all ticks, 0 but at lag 3."""

    name, digest, agreement = "steady", "0" * 64, 0.9

    def sound_rows(self, audio_16k: np.ndarray, n_ticks: int) -> np.ndarray:
        """Return nothing that is heard."""
        assert len(audio_16k) == 640 * n_ticks
        return np.zeros((n_ticks, 1), np.float32)

    def scores(self, landmarks_px: np.ndarray, blendshapes: np.ndarray, speech: np.ndarray) -> np.ndarray:
        """Return the same for whatever is seen."""
        assert (landmarks_px.shape[1:], blendshapes.shape[1:]) == ((478, 2), (52,))
        scores = np.zeros((len(speech), 31), np.float32)
        scores[:, 15 + 3] = self.agreement
        return scores


class Doubting(Steady):
    """The same, hardly above the others at lag 3."""

    agreement = 0.01


def _before(data_type: pa.DataType) -> pa.DataType:
    if pa.types.is_list(data_type) and pa.types.is_struct(data_type.value_type):
        return pa.list_(pa.struct([field for field in data_type.value_type if field.name not in LATER_COLUMNS]))
    return data_type


def _as(column: pa.Array, data_type: pa.DataType) -> pa.Array:
    """Return a column in an older type; Arrow's cast adds fields to structs and removes none."""
    if column.type == data_type:
        return column
    structs = column.flatten()
    fields = list(data_type.value_type)
    kept = pa.StructArray.from_arrays([structs.field(field.name) for field in fields], fields=fields)
    return pa.ListArray.from_arrays(column.offsets, kept, mask=column.is_null())
