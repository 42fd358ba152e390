"""dataset.json: written, read, refused."""

import json
from pathlib import Path

import pytest

from manifests.errors import DatasetError
from manifests.record import read_dataset, write_dataset
from manifests.totals import totals_of


def test_a_record_comes_back_and_gives_the_same_bytes(dataset: Path) -> None:
    before = (dataset / "dataset.json").read_bytes()
    record = read_dataset(dataset)
    assert record.config == {"rules": {"frontal": {"strict_deg": 15.0}}}
    assert [column.name for column in record.tables["spans"].columns][:2] == ["video_id", "start_s"]
    write_dataset(dataset, record)
    assert (dataset / "dataset.json").read_bytes() == before


def test_totals_count_a_duplicate_once(dataset: Path) -> None:
    totals = totals_of(dataset)
    assert (totals.videos, totals.failed, totals.clips) == (4, 1, 2)
    assert totals.hours_raw == pytest.approx(10 / 3600)
    assert totals.hours_kept == pytest.approx({"diffusion": 4 / 3600, "vae": 7.2 / 3600})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"schema_version": 99}, "has schema version 99, this version of the software reads 3; go on with the version"),
        ({"schema_version": "new"}, "is damaged: schema_version"),
        ({"preset": 3}, "is damaged: preset"),
        ({"colour": "blue"}, "is damaged: colour"),
    ],
)
def test_another_version_or_a_damaged_record_is_refused(
    dataset: Path, change: dict[str, object], expected: str
) -> None:
    path = dataset / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DatasetError, match=expected):
        read_dataset(dataset)


def test_a_dataset_of_an_older_version_is_refused_as_that_and_not_as_damaged(dataset: Path) -> None:
    path = dataset / "dataset.json"
    record = json.loads(path.read_text()) | {"schema_version": 1, "software_version": "0.0.9"}
    for weight in record["weights"]:
        del weight["role"]
    del record["totals"]["excluded"]
    path.write_text(json.dumps(record))
    with pytest.raises(DatasetError, match=r"has schema version 1, .* the version that wrote it, 0\.0\.9, or run"):
        read_dataset(dataset)


def test_a_folder_without_the_file_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"is no dataset: it holds no dataset\.json"):
        read_dataset(tmp_path / "gone")


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
@pytest.mark.parametrize("name", ["config", "rules"])
def test_settings_with_a_number_that_json_cannot_hold_are_refused(dataset: Path, number: str, name: str) -> None:
    path = dataset / "dataset.json"
    rule = {"name": "x", "words": "", "unit": "", "keeps": "at most", "own": True, "settings": {"a": "HERE"}}
    change = {"config": {"a": [{"b": "HERE"}]}, "rules": [rule]}[name]
    spoiled = json.dumps(json.loads(path.read_text()) | {name: change})
    path.write_text(spoiled.replace('"HERE"', "1e9"))
    assert read_dataset(dataset)
    path.write_text(spoiled.replace('"HERE"', number))
    with pytest.raises(DatasetError, match=f"{name}.*no finite number"):
        read_dataset(dataset)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["<b>wide</b>"], r"rules\.0\.name: String should match pattern"),
        (["__proto__"], r"rules\.0\.name"),
        ([f"rule_{n}" for n in range(501)], "rules: Tuple should have at most 500 items"),
    ],
    ids=["markup", "property", "many"],
)
def test_rules_that_no_run_can_have_applied_are_refused(dataset: Path, names: list[str], message: str) -> None:
    path = dataset / "dataset.json"
    rules = [{"name": one, "words": "x", "unit": "", "keeps": "at most", "own": True} for one in names]
    path.write_text(json.dumps(json.loads(path.read_text()) | {"rules": rules}))
    with pytest.raises(DatasetError, match=message):
        read_dataset(dataset)
