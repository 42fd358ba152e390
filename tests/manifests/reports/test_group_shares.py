"""Statistics by group, on tables made by hand: hand counts, a planted difference, and none."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from curation.cli.app import app
from foundation.errors import UsageError
from manifests.files.tables import write_parquet
from manifests.reports.group_shares import group_statistics
from manifests.reports.unlike_groups import adjusted, chances, interval
from manifests.schema.tables import TABLES

Rows = list[dict[str, object]]


def put_tables(folder: Path, videos: Rows, spans: Rows) -> Path:
    import pyarrow as pa

    kept = {"status": "ok", "trims": [], "kept_diffusion_s": 0.0, "kept_vae_s": 0.0, "n_clips": 0, "source": "one"}
    for name, rows in (("videos", [kept | {"path": row["video_id"]} | row for row in videos]), ("spans", spans)):
        table = pa.Table.from_pylist(rows, schema=TABLES[name].arrow_schema())
        write_parquet(folder / name / f"{name}.parquet", table, TABLES[name])
    return folder


def spans_of(video_id: str, **seconds: float) -> Rows:
    """Rows of both tiers: so many seconds of each outcome, one after the other."""
    rows: Rows = []
    for tier in ("diffusion", "vae"):
        start = 0.0
        for outcome, length in seconds.items():
            span = {"start_s": start, "end_s": start + length, "outcome": outcome, "tier": tier, "failed": []}
            rows.append({"video_id": video_id, **span})
            start += length
    return rows


def many(folder: Path, dropped: dict[str, float], per_group: int = 20, source: dict[str, str] | None = None) -> Path:
    """Return tables of as many people per gender, 100 s each, of whom about this share is dropped as frontal."""
    chance = np.random.default_rng(7)
    videos, spans = [], []
    for gender, share in dropped.items():
        for number in range(per_group):
            name = f"{gender.lower()}{number:02d}"
            lost = round(float(np.clip(share + chance.normal(0, 0.05), 0.01, 0.99)) * 100, 2)
            labels = {"gender": gender, "source": (source or {}).get(gender, "one")}
            videos.append({"video_id": name, "speaker_id": name, **labels})
            spans += spans_of(name, kept=100 - lost - 5, frontal=lost, silence=5)
    return put_tables(folder, videos, spans)


def test_hours_and_shares_are_counted_by_hand_and_copies_and_what_nobody_asked_for_left_out(tmp_path: Path) -> None:
    videos: Rows = [
        {"video_id": "a", "gender": "Female", "speaker_id": "anna"},
        {"video_id": "b", "gender": "female", "speaker_id": "anna"},
        {"video_id": "c", "gender": "Male"},
        {"video_id": "c", "path": "copy", "gender": "Female", "duplicate_of": "c"},
        {"video_id": "d", "status": "failed", "gender": "Female"},
        {"video_id": "e"},
    ]
    spans = [
        *spans_of("a", kept=6, frontal=2, trimmed=50),
        *spans_of("b", kept=1, undecodable=1),
        *spans_of("c", silence=4),
        *spans_of("e", kept=3),
    ]
    found = group_statistics(put_tables(tmp_path, videos, spans), "gender")
    female, male, unknown = found.groups
    assert (female.group, female.videos, female.units) == ("Female", 3, 1), "two spellings, one speaker"
    assert (female.offered_s["vae"], female.kept_s["vae"]) == (10.0, 7.0)
    assert female.dropped["vae"] is not None
    assert (female.dropped["vae"].share, female.dropped["vae"].low) == (pytest.approx(0.3), None)
    assert (male.group, male.videos, male.units, male.kept_s["diffusion"]) == ("Male", 1, 1, 0.0)
    assert (unknown.group, unknown.offered_s["vae"]) == (None, 3.0)
    assert found.rules == ()
    assert "Rules are not compared: that takes two groups of at least 10 people" in found.text()
    assert "(not recorded)" in found.text()


def test_a_rule_that_drops_more_of_one_group_is_told_and_one_that_does_not_is_not(tmp_path: Path) -> None:
    found = group_statistics(many(tmp_path, {"Female": 0.4, "Male": 0.2}), "gender")
    unlike = {(row.tier, row.rule) for row in found.rules if row.unlike}
    assert unlike == {("diffusion", "frontal"), ("vae", "frontal")}
    (frontal,) = [row for row in found.rules if (row.tier, row.rule) == ("vae", "frontal")]
    assert frontal.shares == {"Female": pytest.approx(0.4, abs=0.03), "Male": pytest.approx(0.2, abs=0.03)}
    assert frontal.chance_within_sources is None
    assert "Rules that treat these groups unlike (4 comparisons of tier and rule; 5% chance" in found.text()
    female = found.groups[0].dropped["vae"]
    assert female is not None
    assert female.low is not None
    assert female.high is not None
    # 20 people with a standard deviation of 0.05: the mean is known to about 0.05 / sqrt(20) * 1.96 to either side
    assert female.high - female.low == pytest.approx(2 * 1.96 * 0.05 / 20**0.5, rel=0.4)


def test_groups_that_are_alike_are_told_to_be(tmp_path: Path) -> None:
    found = group_statistics(many(tmp_path, {"Female": 0.3, "Male": 0.3}), "gender")
    assert [row.unlike for row in found.rules] == [False] * 4
    assert "No rule treats these groups unlike by more than chance (4 comparisons" in found.text()


def test_a_difference_that_may_be_the_sources_is_told_as_such(tmp_path: Path) -> None:
    found = group_statistics(
        many(tmp_path, {"Female": 0.4, "Male": 0.2}, source={"Female": "phones", "Male": "studio"}), "gender"
    )
    (row,) = [row for row in found.rules if (row.tier, row.rule) == ("vae", "frontal")]
    assert row.unlike
    assert row.chance_within_sources == 1.0, "no source has both"
    assert "not shown" in found.text()


def test_one_persons_many_videos_are_one_observation(tmp_path: Path) -> None:
    videos, spans = [], []
    for gender in ("Female", "Male"):
        for number in range(30):
            name = f"{gender}{number}".lower()
            videos.append({"video_id": name, "gender": gender, "speaker_id": gender})
            spans += spans_of(name, kept=50, frontal=50 if gender == "Male" else 5)
    found = group_statistics(put_tables(tmp_path, videos, spans), "gender")
    assert [row.units for row in found.groups] == [1, 1]
    assert found.rules == ()


def test_ages_in_years_are_put_into_groups_in_their_order(tmp_path: Path) -> None:
    ages = ("62", "17", "31", "45", "in her forties", "30")
    videos: Rows = [{"video_id": f"v{number}", "age": age} for number, age in enumerate(ages)]
    spans = [span for row in videos for span in spans_of(str(row["video_id"]), kept=1)]
    found = group_statistics(put_tables(tmp_path, videos, spans), "age")
    expected = [("under 18", 1), ("18 to 30", 1), ("31 to 45", 2), ("over 60", 1), ("in her forties", 1)]
    assert [(row.group, row.videos) for row in found.groups] == expected


def test_chances_agree_with_all_permutations_of_a_small_case() -> None:
    # 3 + 3 units of equal length: of the 20 ways to choose a group, the 2 extreme ones are as unlike as this one
    offered, lost = np.full((6, 1), 10.0), np.array([[0.0], [1.0], [2.0], [7.0], [8.0], [9.0]])
    group, one = np.array([0, 0, 0, 1, 1, 1]), np.zeros(6, np.int64)
    assert chances(offered, lost, group, one)[0] == pytest.approx(2 / 20, abs=0.015)


def test_chances_of_groups_that_are_alike_are_spread_evenly() -> None:
    chance = np.random.default_rng(1)
    lost = chance.uniform(0, 10, size=(40, 200))
    found = chances(np.full((40, 200), 10.0), lost, np.arange(40) % 2, np.zeros(40, np.int64))
    assert 0.01 <= float((found <= 0.05).mean()) <= 0.10
    assert min(adjusted(found.tolist())) > 0.05


def test_many_units_are_put_together_and_keep_their_interval() -> None:
    chance = np.random.default_rng(2)
    lost = chance.uniform(0, 10, size=50_000)
    found = interval(np.full(50_000, 10.0), lost)
    assert found is not None
    # the mean of 50,000 uniform shares: standard error 0.2887 / sqrt(50,000)
    assert found[1] - found[0] == pytest.approx(2 * 1.96 * 0.2887 / 50_000**0.5, rel=0.15)
    assert interval(np.ones(9), np.zeros(9)) is None


def test_the_command_prints_groups_as_text_and_as_json_and_refuses_what_is_no_group(dataset: Path) -> None:
    done = CliRunner().invoke(app, ["stats", str(dataset), "--by", "source", "--json"])
    assert [row["group"] for row in json.loads(done.stdout)["groups"]] == ["one", "two"]
    assert "What is kept, by licence" in CliRunner().invoke(app, ["stats", str(dataset), "--by", "licence"]).stdout
    wrong = CliRunner().invoke(app, ["stats", str(dataset), "--by", "height"])
    assert wrong.exit_code == 2
    both = CliRunner().invoke(app, ["stats", str(dataset), "--by", "age", "--sql", "SELECT 1"])
    assert both.exit_code == 2
    with pytest.raises(UsageError, match="'height'; give one of source, licence"):
        group_statistics(dataset, "height")
