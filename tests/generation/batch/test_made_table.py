from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from generation.batch.made_table import ListHeldError, MadeRow, MadeTable, ManifestError

FIRST = MadeRow(line=2, out="/made/1.mp4", status="made", seconds=1.5, seed=3, out_bytes=9, n_frames=32)
SECOND = MadeRow(line=3, out="/made/2.mp4", status="failed", error_code="unusable_input", error="no face")


def test_rows_are_read_by_duckdb_in_the_order_of_the_list(tmp_path: Path) -> None:
    with MadeTable(tmp_path / "made.parquet") as table:
        table.add(SECOND)
        table.add(FIRST)
    found = (
        duckdb.read_parquet(str(tmp_path / "made.parquet"))
        .select("line", "out", "status", "seconds", "error")
        .fetchall()
    )
    assert found == [(2, "/made/1.mp4", "made", 1.5, None), (3, "/made/2.mp4", "failed", None, "no face")]
    assert [path.name for path in tmp_path.iterdir()] == ["made.parquet"]
    meaning = pq.read_schema(tmp_path / "made.parquet").field("seed").metadata[b"meaning"]
    assert meaning == b"of the motion; null with a driving video"


def test_what_a_killed_command_has_made_is_known_to_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "made.parquet"
    killed = MadeTable(path)
    killed.add(FIRST)
    killed.add(SECOND)
    killed._journal.close()  # as the system does
    journal = tmp_path / ".made.parquet.jsonl"
    journal.write_bytes(journal.read_bytes()[:-7])  # the last line did not reach the disk
    assert MadeTable.read(path) == {FIRST.out: FIRST}
    with MadeTable(path) as table:
        assert table.rows == {FIRST.out: FIRST}
        table.add(SECOND)
    assert MadeTable.read(path) == {FIRST.out: FIRST, SECOND.out: SECOND}


def test_a_job_that_the_list_has_no_more_keeps_its_row_without_a_line(tmp_path: Path) -> None:
    with MadeTable(tmp_path / "made.parquet") as table:
        table.add(FIRST)
        table.add(SECOND)
        table.place({SECOND.out: 2})
    rows = MadeTable.read(tmp_path / "made.parquet")
    assert [(row.out, row.line) for row in rows.values()] == [(SECOND.out, 2), (FIRST.out, None)]


def test_two_commands_do_not_make_one_list_at_once(tmp_path: Path) -> None:
    with MadeTable(tmp_path / "made.parquet"), pytest.raises(ListHeldError, match="another command makes the videos"):
        MadeTable(tmp_path / "made.parquet")


def test_another_table_is_no_manifest(tmp_path: Path) -> None:
    (tmp_path / "made.parquet").write_bytes(b"PAR1")
    with pytest.raises(ManifestError, match="is no manifest of this version"):
        MadeTable(tmp_path / "made.parquet")


def test_the_guide_has_a_row_for_each_column(repository: Path) -> None:
    rows = [
        f"| `{column.name}` | {column.type} | {column.metadata[b'meaning'].decode()} |" for column in MadeRow.schema()
    ]
    assert "\n".join(rows) in (repository / "docs" / "guides" / "generate.md").read_text(encoding="utf-8")
