import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import training.ratings.rating_files
from training import rating_table
from training.cli.app import app
from training.ratings.grades import CRITERIA
from training.ratings.rating_files import RatingsError

SHEET = "00000000000000aa"

VIDEOS = ("v0", "v1", "v2", "v3")

SYSTEMS = ("ours", "rival")


def item_of(system: str, video: str) -> str:
    return f"{SYSTEMS.index(system):08d}{VIDEOS.index(video):08d}"


def write_key(folder: Path) -> Path:
    items = {item_of(s, v): {"system": s, "video": v} for s in SYSTEMS for v in VIDEOS}
    key = {"format": "gaia-rating-key", "version": 1, "sheet": SHEET, "seed": 0, "systems": SYSTEMS, "items": items}
    path = folder / "sheet.key.json"
    path.write_text(json.dumps(key), encoding="utf-8")
    return path


def ratings_of(rater: str, ours: tuple[int, ...], rival: tuple[int, ...]) -> dict[str, Any]:
    """Return what a rater saves who gives every criterion the same grade."""
    given = [
        (item_of(s, v), g) for s, of in (("ours", ours), ("rival", rival)) for v, g in zip(VIDEOS, of, strict=False)
    ]
    ratings = [
        {"item": item, "position": i, "grades": {one.key: grade for one in CRITERIA}}
        for i, (item, grade) in enumerate(given)
    ]
    return {
        "format": "gaia-ratings", "version": 1, "sheet": SHEET, "rater": rater, "seed": 0, "n_items": 8,
        "ratings": ratings, "left_out": [],
    }  # fmt: skip


def write(path: Path, content: Mapping[str, Any]) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_a_folder_of_ratings_becomes_means_agreement_and_comparisons(tmp_path: Path) -> None:
    key = write_key(tmp_path)
    write(tmp_path / "b.json", ratings_of("Bo", (5, 5, 4, 4), (1, 2, 2, 1)))
    write(tmp_path / "a.json", ratings_of("Ann", (4, 5, 4, 5), (2, 1, 1, 2)))
    table = rating_table(key, [tmp_path])
    assert table.raters == ("Ann", "Bo")
    assert [(one.system, one.scores["jitter"].mean, one.n_ratings) for one in table.systems] == [
        ("ours", 4.5, 8),
        ("rival", 1.5, 8),
    ]
    assert [(one.n_pairs, one.difference.mean, one.p) for one in table.comparisons] == [(8, 3.0, 2 / 16)] * 5
    assert {one.p_adjusted for one in table.comparisons} == {5 * 2 / 16}
    assert table.agreement["jitter"] > 0.8
    assert table.notes == ()


def test_what_a_rater_did_not_rate_counts_nowhere(tmp_path: Path) -> None:
    key = write_key(tmp_path)
    part = ratings_of("Ann", (4, 5), (2,))
    part["left_out"] = [item_of("rival", "v3")]
    table = rating_table(key, [write(tmp_path / "a.json", part)])
    assert [(one.scores["lip_sync"].mean, one.n_ratings) for one in table.systems] == [(4.5, 2), (2.0, 1)]
    assert [(one.n_pairs, one.difference.mean) for one in table.comparisons] == [(1, 2.0)] * 5
    assert np.isnan(table.agreement["lip_sync"])
    assert [note.partition(" ")[0] for note in table.notes] == ["not", "1", "there"]


def test_the_command_prints_tables_or_json(tmp_path: Path) -> None:
    key = write_key(tmp_path)
    ratings = write(tmp_path / "a.json", ratings_of("Ann", (4, 5, 4, 5), (2, 1, 1, 2)))
    done = CliRunner().invoke(app, ["rating-table", str(key), str(ratings)], catch_exceptions=False)
    assert done.exit_code == 0
    (row,) = [line for line in done.output.splitlines() if line.startswith("ours  ")]
    assert row.split()[1] == "4.50"
    assert "GAIA        4.362  4.332  4.345  4.320  4.243" in done.output
    done = CliRunner().invoke(app, ["rating-table", str(key), str(ratings), "--json"], catch_exceptions=False)
    said = json.loads(done.output)
    assert said["systems"][1]["scores"]["visual_quality"]["mean"] == 1.5
    assert said["agreement"]["visual_quality"] is None
    assert said["published"]["SadTalker"] == [2.884, 4.012, 4.02, 3.569, 2.625]


def changed(path: str, value: object) -> dict[str, Any]:
    """Return ratings in which one value, such as of `ratings.0.position`, is another."""
    whole = ratings_of("Ann", (4, 5, 4, 5), (2, 1, 1, 2))
    names = path.split(".")
    part: Any = whole
    for name in names[:-1]:
        part = part[int(name) if name.isdigit() else name]
    part[names[-1]] = value
    return whole


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (changed("format", "gaia-labels"), "is no file of ratings: format"),
        (changed("version", 2), "version"),
        (changed("rater", ""), "rater"),
        (changed("rater", "A\x1b[2J"), "control character"),
        (changed("rater", "x" * 201), "rater"),
        (changed("sheet", "00000000000000bb"), "is of"),
        (changed("ratings.0.item", "ffffffffffffffff"), "rates ffffffffffffffff, which the sheet does not have"),
        (changed("ratings.0.item", "../../etc/passwd"), "ratings.0.item"),
        (changed("ratings.0.position", -1), "ratings.0.position"),
        (changed("ratings.0.grades.jitter", 6), "ratings.0.grades.jitter"),
        (changed("ratings.0.grades.jitter", 0), "ratings.0.grades.jitter"),
        (changed("ratings.0.grades.jitter", "5"), "ratings.0.grades.jitter"),
        (changed("ratings.0.grades.jitter", 4.5), "ratings.0.grades.jitter"),
        (changed("ratings.0.grades.jitter", True), "ratings.0.grades.jitter"),
        (changed("ratings.0.grades.beauty", 5), "should be grades for naturalness, lip_sync"),
        (changed("left_out", [item_of("ours", "v0")]), "rates an item twice"),
        (changed("more", 1), "more"),
    ],
)  # fmt: skip
def test_files_that_no_sheet_saved_are_refused(content: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(RatingsError, match="a\\.json") as refused:
        rating_table(write_key(tmp_path), [write(tmp_path / "a.json", content)])
    assert message in str(refused.value)
    assert "\x1b" not in str(refused.value)


def test_two_files_of_one_rater_are_refused(tmp_path: Path) -> None:
    for name, rater in (("a.json", "Ann"), ("b.json", "ANN")):
        write(tmp_path / name, ratings_of(rater, (4,), (2,)))
    with pytest.raises(RatingsError, match="of the same rater, ANN; give one"):
        rating_table(write_key(tmp_path), [tmp_path])


def test_without_ratings_there_is_no_table(tmp_path: Path) -> None:
    key = write_key(tmp_path)
    for given, message in (([tmp_path], "0 files"), ([tmp_path / "none.json"], "cannot be read")):
        with pytest.raises(RatingsError, match=message):
            rating_table(key, given)
    begun = write(tmp_path / "a.json", ratings_of("Ann", (), ()))
    with pytest.raises(RatingsError, match="the 1 file holds no rating"):
        rating_table(key, [begun])
    with pytest.raises(RatingsError, match=r"is no key to a rating sheet: format"):
        rating_table(begun, [begun])
    whole = json.loads(key.read_text(encoding="utf-8"))
    whole["items"].popitem()
    with pytest.raises(RatingsError, match="does not name every video of every system once"):
        rating_table(write(tmp_path / "part.key.json", whole), [begun])
    (tmp_path / "deep.json").write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(RatingsError, match="is no file of ratings"):
        rating_table(key, [tmp_path / "deep.json"])


def test_a_folder_of_ratings_that_a_stranger_made_is_not_waited_for_and_not_left(tmp_path: Path) -> None:
    key, given = write_key(tmp_path), tmp_path / "raters"
    given.mkdir()
    sound = write(tmp_path / "a.json", ratings_of("Ann", (4, 5), (2, 1)))
    (given / "a.json").symlink_to(sound)
    with pytest.raises(RatingsError, match=r"raters/a\.json is a link, not a regular file"):
        rating_table(key, [given])
    assert rating_table(key, [given / "a.json"]).raters == ("Ann",)  # a link that the user names
    (given / "a.json").unlink()
    os.mkfifo(given / "a.json")
    for files in ((key, given), (given / "a.json", sound)):
        with pytest.raises(RatingsError, match="is a named pipe, not a regular file"):
            rating_table(files[0], [files[1]])


def test_a_key_of_more_systems_than_can_be_compared_is_refused(tmp_path: Path) -> None:
    systems = [f"s{n}" for n in range(100)]
    items = {f"{s:08d}{v:08d}": {"system": name, "video": str(v)} for s, name in enumerate(systems) for v in range(60)}
    key = json.loads(write_key(tmp_path).read_text(encoding="utf-8")) | {"systems": systems, "items": items}
    one = ratings_of("Ann", (), ())
    one["ratings"] = [{"item": "0" * 16, "position": 0, "grades": {criterion.key: 1 for criterion in CRITERIA}}]
    with pytest.raises(RatingsError, match="100 systems of 60 videos, which with 1 rater is too much for one table"):
        rating_table(write(tmp_path / "many.key.json", key), [write(tmp_path / "a.json", one)])


def test_files_of_ratings_have_a_limit_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [write(tmp_path / f"{name}.json", ratings_of(name, (4,), (2,))) for name in ("a", "b")]
    monkeypatch.setattr(training.ratings.rating_files, "_MOST_BYTES_OF_ALL", files[0].stat().st_size)
    assert rating_table(write_key(tmp_path), files[:1]).raters == ("a",)
    with pytest.raises(RatingsError, match="MB together"):
        rating_table(write_key(tmp_path), [tmp_path])
