"""SQL sees the dataset's tables, and nothing else in the world."""

import json
import re
import time
from pathlib import Path

import duckdb
import pytest

from manifests.dataset import Dataset
from manifests.errors import DatasetError
from manifests.files.tables import table_files
from manifests.reports.queries import QueryError, QueryLimits, connect, query
from manifests.schema.tables import TABLES


def test_views_hold_the_rows(dataset: Path) -> None:
    counts = query(
        dataset,
        "SELECT (SELECT count(*) FROM videos), (SELECT count(*) FROM frames), (SELECT count(*) FROM spans), "
        "(SELECT count(*) FROM clips)",
    )
    assert counts.rows == [(4, 250, 8, 2)]


def test_drops_are_the_dropped_spans_with_hours_and_source(dataset: Path) -> None:
    result = query(
        dataset,
        "SELECT source, tier, outcome, round(sum(hours) * 3600, 6) AS s FROM drops GROUP BY ALL ORDER BY ALL",
    )
    assert result.columns == ("source", "tier", "outcome", "s")
    assert result.rows == [
        ("one", "diffusion", "frontal", 0.8),
        ("one", "diffusion", "silence", 3.2),
        ("one", "vae", "frontal", 0.8),
        ("two", "diffusion", "too_short", 2.0),
        ("two", "vae", "too_short", 2.0),
    ]


def test_arrays_can_be_queried_half_precision_too(dataset: Path) -> None:
    rows = query(dataset, "SELECT len(landmarks), speech_features[1][2] FROM clips WHERE tier = 'diffusion'").rows
    assert rows == [(100, 0.5)]


def test_views_of_an_empty_dataset_have_all_columns(dataset: Path) -> None:
    for table in TABLES.values():
        for path in table_files(dataset, table.name):
            path.unlink()
        result = query(dataset, f"SELECT * FROM {table.name}")  # noqa: S608
        assert result.columns == tuple(table.arrow_schema().names)
        assert result.rows == []
    assert query(dataset, "SELECT hours FROM drops").rows == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM 'spans/spans.parquet'",
        "COPY (SELECT 1) TO 'inside.csv'",
        "COPY (SELECT 1) TO '/tmp/outside.csv'",
        "EXPORT DATABASE 'exported'",
        "ATTACH 'other.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "RESET lock_configuration",
        "CREATE PERSISTENT SECRET s (TYPE s3)",
        "SELECT * FROM python_rows",
    ],
)
def test_nothing_but_the_views_can_be_reached(dataset: Path, monkeypatch: pytest.MonkeyPatch, sql: str) -> None:
    monkeypatch.chdir(dataset)
    python_rows = duckdb.sql("SELECT 1")  # DuckDB would find this variable by its name
    assert python_rows is not None
    before = {path: path.stat().st_mtime_ns for path in dataset.rglob("*")}
    with connect(dataset) as connection:
        with pytest.raises(duckdb.Error):
            connection.execute(sql)
        assert connection.execute("SELECT count(*) FROM videos").fetchall() == [(4,)]
    with pytest.raises(QueryError):
        query(dataset, sql)
    assert {path: path.stat().st_mtime_ns for path in dataset.rglob("*")} == before


def test_every_query_of_the_docs_page_has_an_answer(dataset: Path, repository: Path) -> None:
    page = (repository / "docs" / "guides" / "queries.md").read_text(encoding="utf-8")
    queries = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    answers = [query(dataset, sql).rows for sql in queries]
    assert answers[0][0] == ("diffusion", "silence", 1, 3.2)
    assert dict(answers[1]) == pytest.approx({"diffusion": 0.8 / 3600, "vae": 0.8 / 3600})
    assert [row[1:3] for row in answers[2]] == [("unreadable", None), (None, "too_short")]
    assert [row[1:] for row in answers[_only(queries, "unnest(words)")]] == [("Good", 0.2, 0.4), ("morning.", 0.4, 0.9)]
    assert all(answers)


def _only(queries: list[str], part: str) -> int:
    (number,) = (number for number, sql in enumerate(queries) if part in sql)
    return number


def test_an_error_names_the_views(dataset: Path) -> None:
    with pytest.raises(
        QueryError, match=r"vidoes[\s\S]*The views are: videos, frames, spans, clips, identities, drops\."
    ):
        query(dataset, "SELECT * FROM vidoes")


@pytest.mark.parametrize("sql", ["", "  ", ";", "-- nothing but a comment"])
def test_a_query_without_a_statement_is_refused(dataset: Path, sql: str) -> None:
    with pytest.raises(QueryError, match=r"holds no SQL statement[\s\S]*The views are"):
        query(dataset, sql)


def test_a_folder_that_is_no_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is no dataset"):
        Dataset(tmp_path).query("SELECT 1")


def test_numbers_that_json_has_no_word_for_are_null(dataset: Path) -> None:
    values = (
        "'inf'::DOUBLE AS a, '-inf'::FLOAT AS b, ['nan'::DOUBLE, 1.5] AS c, {'d': 'nan'::FLOAT} AS e, MAP {1: 2.5} AS f"
    )
    rows = json.loads(query(dataset, f"SELECT {values}").json(), parse_constant=_no_json)
    assert rows == [{"a": None, "b": None, "c": [None, 1.5], "e": {"d": None}, "f": {"1": 2.5}}]


def _no_json(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


def test_results_as_text_and_json(dataset: Path) -> None:
    result = query(dataset, "SELECT 'a\nb' AS name, 12 AS n, NULL AS nothing, DATE '2020-01-02' AS day")
    assert result.text().splitlines() == [
        "name   n  nothing  day",
        "----  --  -------  ----------",
        "a\\nb  12           2020-01-02",
    ]
    assert (
        result.json()
        == '[\n  {\n    "name": "a\\nb",\n    "n": 12,\n    "nothing": null,\n    "day": "2020-01-02"\n  }\n]'
    )


_CROSS_JOIN = "SELECT * FROM range(1000000000) a, range(1000) b"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM range(1000000000) a, range(1000) b",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t",
        f"SELECT 1; {_CROSS_JOIN}",
    ],
)
def test_a_query_is_stopped_after_its_time(dataset: Path, sql: str) -> None:
    began = time.monotonic()
    with pytest.raises(QueryError, match=r"^the query took longer than 0\.5 s; narrow it, or raise the limit of time"):
        query(dataset, sql, QueryLimits(timeout_s=0.5, memory_gib=4))
    assert time.monotonic() - began < 10


def test_a_query_is_stopped_at_its_memory(dataset: Path) -> None:
    with pytest.raises(QueryError, match=r"^the query needs more than 0\.1 GiB; narrow it, or raise the limit of mem"):
        query(dataset, "SELECT list(range) FROM range(1000000000)", QueryLimits(memory_gib=0.1))


def test_rows_are_not_fetched_beyond_a_quarter_of_the_memory(dataset: Path) -> None:
    with pytest.raises(QueryError, match=r"the answer has more than [0-9,]+ rows, too many to hold"):
        query(dataset, _CROSS_JOIN, QueryLimits(memory_gib=0.25))


def test_an_answer_of_many_rows_is_fetched_whole(dataset: Path) -> None:
    assert [row[0] for row in query(dataset, "SELECT range FROM range(20000)").rows] == list(range(20_000))


@pytest.mark.parametrize(("timeout_s", "memory_gib"), [(0, 1), (-1, 1), (1, 0.01), (float("nan"), 1)])
def test_limits_that_no_query_can_keep_are_refused(timeout_s: float, memory_gib: float) -> None:
    with pytest.raises(QueryError, match="more than 0 s and at least"):
        QueryLimits(timeout_s=timeout_s, memory_gib=memory_gib)


def test_the_memory_limit_cannot_be_lifted_by_the_query(dataset: Path) -> None:
    with pytest.raises(QueryError, match="locked"):
        query(dataset, "SET memory_limit = '100GB'; SELECT 1")
