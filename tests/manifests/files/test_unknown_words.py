"""Words, types and columns that a table of a stranger has and cannot have."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from manifests.errors import DatasetError
from manifests.files.cells import unknown_words
from manifests.files.tables import read_row, read_table
from manifests.schema.tables import TABLES

SPAN = {"video_id": "0" * 16, "start_s": 0.0, "end_s": 1.0, "tier": "vae", "outcome": "kept", "failed": []}


def write_spans(dataset: Path, **changes: object) -> Path:
    path = dataset / "spans" / "one.parquet"
    path.parent.mkdir()
    row = {**dict.fromkeys(TABLES["spans"].arrow_schema().names), **SPAN, **changes}
    pq.write_table(pa.Table.from_pylist([row]), path)
    return path


def test_known_words_are_read(tmp_path: Path) -> None:
    path = write_spans(tmp_path)
    assert read_table(tmp_path, "spans")["tier"].to_pylist() == ["vae"]
    assert read_row(path, "spans", 0, ["tier", "start_s"]).to_pylist() == [{"tier": "vae", "start_s": 0.0}]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tier": "../outside"}, "tier is '../outside', and can be diffusion, vae"),
        ({"tier": None}, "tier"),
        ({"start_s": "now"}, "start_s|now"),
    ],
)
def test_a_table_with_a_word_or_type_that_it_cannot_have_is_refused_by_name(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    path = write_spans(tmp_path, **change)
    with pytest.raises(DatasetError, match=said) as whole:
        read_table(tmp_path, "spans")
    with pytest.raises(DatasetError, match=said) as row:
        read_row(path, "spans", 0, ["tier", "start_s"])
    assert str(path) in str(whole.value)
    assert str(path) in str(row.value)


@pytest.mark.parametrize("name", ["tier", "split", "status", "landmark_scheme"])
def test_words_of_each_column_are_compared_with_those_that_may_stand_there(name: str) -> None:
    wrong = next(unknown_words(pa.table({name: ["a\nb", None], "clip_id": ["x", "y"]})))
    assert wrong.startswith(f"{name} is 'a\\nb', and can be ")
