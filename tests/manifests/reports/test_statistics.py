"""Figures of the small dataset of conftest.py, counted by hand."""

import json
from pathlib import Path

import pytest

from manifests.reports.statistics import _Video, statistics
from manifests.schema.videos import VIDEOS


def test_speakers_and_seconds_per_source_count_duplicates_once(dataset: Path) -> None:
    figures = statistics(dataset)
    one, two = figures.sources
    assert (one.source, one.videos, one.failed, one.duplicates) == ("one", 3, 1, 1)
    assert (one.speakers_raw, one.speakers_kept, one.unknown_speaker_videos) == (1, 1, 1)
    assert one.raw_s == 8.0
    assert one.kept_s == pytest.approx({"diffusion": 4.0, "vae": 7.2})
    assert (two.speakers_raw, two.unknown_speaker_videos, two.raw_s) == (0, 1, 2.0)
    assert (figures.total.videos, figures.total.raw_s, figures.total.clips) == (4, 10.0, 2)


def test_drop_reasons_have_seconds_and_share_of_their_tier(dataset: Path) -> None:
    drops = [(row.tier, row.outcome, round(row.seconds, 6), round(row.share, 6)) for row in statistics(dataset).drops]
    assert drops == [
        ("diffusion", "silence", 3.2, 0.32),
        ("diffusion", "too_short", 2.0, 0.2),
        ("diffusion", "frontal", 0.8, 0.08),
        ("vae", "too_short", 2.0, 0.2),
        ("vae", "frontal", 0.8, 0.08),
    ]


def test_every_video_says_what_became_of_it(dataset: Path) -> None:
    rows = [(row.path, row.status, row.biggest_drop, row.kept_s["diffusion"]) for row in statistics(dataset).videos]
    assert rows == [
        ("/videos/a.mp4", "ok", "silence", 4.0),
        ("/videos/b.mp4", "duplicate", None, 0.0),
        ("/videos/broken.mp4", "unreadable", None, 0.0),
        ("/videos/x/d.mp4", "ok", "too_short", 0.0),
    ]


def test_text_shows_seconds_for_a_short_run(dataset: Path) -> None:
    lines = statistics(dataset).text().splitlines()
    assert lines[1].split("  ")[0] == "source"
    assert lines[3].split() == ["one", "3", "1", "1", "1", "8.0", "1", "4.0", "7.2", "2"]
    assert lines[4].split() == ["two", "1", "0", "0", "-", "2.0", "-", "0.0", "0.0", "0"]
    assert lines[5].split() == ["total", "4", "1", "1", "1", "10.0", "1", "4.0", "7.2", "2"]


def test_json_holds_the_same_figures(dataset: Path) -> None:
    assert json.loads(statistics(dataset).json())["total"]["raw_s"] == 10.0


def test_the_columns_that_are_read_have_the_types_of_the_table() -> None:
    kinds = {"string": str, "double": float, "int32": int, "list<item: string>": list[str]}
    for name, field in _Video.__dataclass_fields__.items():
        column = VIDEOS.column(name)
        kind = kinds[str(column.type).replace("element", "item")]
        assert field.type == (kind | None if column.nullable else kind), name
