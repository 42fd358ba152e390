import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.made_videos import SmallRun
from typer.testing import CliRunner

import curation
from curation.cli.app import app
from curation.differences.changes import Change, changes_of
from curation.differences.told_spans import TOLD_COLUMNS, ToldVideo, told_by_table
from curation.output.provenance import new_record
from curation.settings import CurationSettings
from foundation.errors import EXIT_USAGE
from manifests.errors import DatasetError
from manifests.files.tables import write_parquet
from manifests.record import write_dataset
from manifests.schema.videos import SPANS, VIDEOS
from manifests.vocabulary import TIERS

Span = tuple[int, int, str]


def _table(**videos: list[Span]) -> pa.Table:
    """Spans of videos by their ids, the same in both tiers."""
    rows = [
        {
            "video_id": video_id,
            "start_s": first / 25,
            "end_s": end / 25,
            "tier": tier,
            "outcome": outcome,
            "failed": [] if outcome == "kept" else [outcome],
            "clip_id": f"{video_id}-{first}" if outcome == "kept" else None,
        }
        for video_id, spans in videos.items()
        for tier in TIERS
        for first, end, outcome in spans
    ]
    schema = SPANS.arrow_schema()
    return pa.Table.from_pylist(rows, schema=pa.schema([schema.field(name) for name in TOLD_COLUMNS]))


def _told(*spans: Span) -> ToldVideo:
    ((_, told),) = told_by_table(_table(a=list(spans)))
    return told


def _changes(before: ToldVideo, after: ToldVideo) -> list[tuple[str, int, int, str, tuple[str, ...]]]:
    found = changes_of(before, after)
    assert [change for change in found if change.tier == "vae"] == [_vae(change) for change in found[: len(found) // 2]]
    return [
        (change.direction, change.first_tick, change.end_tick, change.outcome, change.failed)
        for change in found
        if change.tier == "diffusion"
    ]


def _vae(change: Change) -> Change:
    return Change(
        tier="vae",
        direction=change.direction,
        first_tick=change.first_tick,
        end_tick=change.end_tick,
        outcome=change.outcome,
        failed=change.failed,
    )


def test_what_entered_and_what_left_have_the_reason_of_the_side_without_them() -> None:
    before = _told((0, 100, "kept"), (100, 150, "frontal"), (150, 200, "kept"))
    after = _told((0, 40, "jitter"), (40, 130, "kept"), (130, 160, "frontal"), (160, 200, "kept"))
    assert _changes(before, after) == [
        ("left", 0, 40, "jitter", ("jitter",)),
        ("entered", 100, 130, "frontal", ("frontal",)),
        ("left", 150, 160, "frontal", ("frontal",)),
    ]
    assert _changes(before, before) == []


def test_ticks_of_a_longer_video_and_of_one_that_failed_are_told_as_such() -> None:
    short, long = _told((0, 100, "kept")), _told((0, 120, "kept"))
    assert _changes(short, long) == [("entered", 100, 120, "beyond_the_end", ())]
    assert _changes(long, ToldVideo.without("unreadable", 120)) == [("left", 0, 120, "unreadable", ())]


def test_spans_that_do_not_tile_a_video_are_refused() -> None:
    for spans in ([(0, 50, "kept"), (60, 90, "kept")], [(10, 50, "kept")]):
        with pytest.raises(DatasetError, match="do not tile it"):
            list(told_by_table(_table(b=spans)))
    assert list(told_by_table(_table())) == []


def test_spans_of_many_videos_are_told_apart() -> None:
    rows = _table(b=[(0, 50, "kept")], a=[(0, 30, "mask"), (30, 60, "kept")])
    told = dict(told_by_table(rows.take(np.random.default_rng(0).permutation(len(rows)))))
    assert {video_id: (one.n_ticks, one.kept_ticks("vae")) for video_id, one in told.items()} == {
        "a": (60, 30),
        "b": (50, 50),
    }


def test_a_dataset_does_not_differ_from_itself(small_run: SmallRun) -> None:
    found = curation.compare(small_run.dataset, small_run.dataset)
    assert found.equal
    assert "Nothing differs" in found.text()
    assert json.loads(found.json())["equal"] is True


def test_other_settings_differ_as_the_dataset_that_is_decided_with_them(small_run: SmallRun, tmp_path: Path) -> None:
    overrides = {"rules.mask.max_prob": 0.0, "rules.too_short.min_s": 1}
    curation.redecide(small_run.dataset, tmp_path / "other", overrides=overrides)
    written = curation.compare(small_run.dataset, tmp_path / "other")
    imagined = curation.compare(small_run.dataset, overrides=overrides)
    assert imagined.videos == written.videos
    assert imagined.settings == written.settings
    assert imagined.clips == written.clips
    assert imagined.sides[1].kept_s == written.sides[1].kept_s
    assert {(change.direction, change.outcome) for change in written.videos[0].changes} == {("left", "mask")}
    back = curation.compare(tmp_path / "other", small_run.dataset)
    assert {(change.direction, change.outcome) for change in back.videos[0].changes} == {("entered", "mask")}
    assert "rules.too_short.min_s: 1.0, was 3.0" in written.text()


def test_videos_are_the_same_by_content_and_others_are_named_with_their_source(
    small_run: SmallRun, tmp_path: Path
) -> None:
    shutil.copytree(small_run.dataset, tmp_path / "other")
    rows = pq.read_table(tmp_path / "other" / "videos").to_pylist()
    kept = [
        {**row, "path": "/films/new.mp4", "source": "films"} for row in rows if row["path"].endswith("a_talking.mp4")
    ]
    table = pa.Table.from_pylist(kept, schema=VIDEOS.arrow_schema())
    write_parquet(tmp_path / "other" / "videos" / "videos.parquet", table, VIDEOS)
    found = curation.compare(small_run.dataset, tmp_path / "other")
    assert (found.common_videos, found.moved_videos, found.videos) == (1, 1, ())
    ((side, source, videos),) = [(one.side, one.source, one.videos) for one in found.only_there]
    assert (side, source, videos) == (0, "raw", 1)  # the one without sound
    assert not found.equal
    assert "1 under another path or source" in found.text()


def test_an_empty_dataset_has_nothing_to_compare(small_run: SmallRun, tmp_path: Path) -> None:
    write_dataset(tmp_path / "empty", new_record(CurationSettings(), []))
    assert curation.compare(tmp_path / "empty", tmp_path / "empty").equal
    found = curation.compare(tmp_path / "empty", small_run.dataset)
    assert [one.side for one in found.only_there] == [1]


def _command(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["diff", *arguments])
    return done.exit_code, done.output


def test_the_command_prints_tables_or_json(small_run: SmallRun) -> None:
    code, output = _command(str(small_run.dataset), "--set", "rules.mask.max_prob=0")
    assert code == 0
    assert "What entered and what left" in output
    code, output = _command(str(small_run.dataset), "--set", "rules.mask.max_prob=0", "--json")
    assert code == 0
    changes = json.loads(output)["videos"][0]["changes"]
    assert {(one["change"], one["outcome"]) for one in changes} == {("left", "mask")}


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ([], "give a second dataset, or changes"),
        (["DATASET", "--set", "rules.mask.max_prob=0"], "one of them, not both"),
        (["--set", "rules.mask.most=0"], "rules.mask"),
        (["--set", "perception.mask_stride=2"], "measured otherwise"),
        (["nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_compared_ends_the_command_with_a_sentence(
    small_run: SmallRun, more: list[str], says: str
) -> None:
    code, output = _command(str(small_run.dataset), *(part.replace("DATASET", str(small_run.dataset)) for part in more))
    assert code == EXIT_USAGE
    assert says in output
