"""The whole of it on a small dataset, against real decisions."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from helpers.made_videos import SmallRun
from typer.testing import CliRunner

import curation
from curation.cli.app import app
from curation.output.provenance import new_record
from curation.settings import CurationSettings
from curation.what_if import counting
from curation.what_if.kept_charts import write_chart
from curation.what_if.kept_figures import KeptRow, WhatIf
from foundation.errors import EXIT_USAGE
from manifests.record import write_dataset


def _kept(found: WhatIf) -> list[tuple[float, float]]:
    rows = [point.total for point in found.points]
    return [(row.kept_s["diffusion"], row.kept_s["vae"]) for row in rows if row is not None]


@pytest.mark.parametrize(
    ("name", "values"),
    [("rules.jitter.strict_step", (0.01, 0.12)), ("rules.too_short.min_s", (2, 3.2))],
)
def test_each_value_is_what_a_real_decision_writes(
    small_run: SmallRun, tmp_path: Path, name: str, values: tuple[float, ...]
) -> None:
    found = curation.vary(small_run.dataset, [f"{name}={','.join(map(str, values))}"])
    for value, point in zip(values, found.points, strict=True):
        decided = curation.redecide(small_run.dataset, tmp_path / str(value), overrides={name: value})
        (source,) = decided.statistics().sources
        spans = pq.read_table(tmp_path / str(value) / "spans").to_pylist()
        clips = {span["clip_id"] for span in spans if span["clip_id"]}
        assert point.total is not None
        assert point.total.kept_s == pytest.approx(source.kept_s)
        assert sum(point.total.clips.values()) == len(clips)
        assert point.sources == (KeptRow(**{**_fields(point.total), "source": source.source}),)
        speakers = max(point.total.speakers.values())
        assert speakers == source.speakers_kept


def _fields(row: KeptRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in KeptRow.__dataclass_fields__}


def test_the_datasets_own_value_keeps_what_the_dataset_keeps(small_run: SmallRun) -> None:
    found = curation.vary(small_run.dataset, ["rules.too_short.min_s=3,4"])
    assert found.now == (3.0,)
    assert _kept(found)[0] == pytest.approx((found.kept_now_s["diffusion"], found.kept_now_s["vae"]))
    assert _kept(found)[1] == (0.0, 0.0)  # the videos have 3.4 s
    assert (found.videos, found.unknown_speaker_videos) == (2, 2)
    assert "3 (now)" in found.text()


def test_changes_for_all_values_are_applied_and_told(small_run: SmallRun) -> None:
    found = curation.vary(small_run.dataset, ["rules.too_short.min_s=3,3.1"], overrides={"rules.mask.max_prob": 0.0})
    assert _kept(found) == [(0.0, 0.0), (0.0, 0.0)]
    assert "rules.mask.max_prob: 0.0, was 0.5" in found.text()
    assert "(now)" not in found.text()


def test_two_settings_make_grids_with_a_dash_where_values_are_not_allowed_together(small_run: SmallRun) -> None:
    found = curation.vary(small_run.dataset, ["rules.frontal.strict_deg=30,50", "rules.frontal.loose_deg=45,60"])
    grid = found.text().partition("s kept in tier diffusion; columns: rules.frontal.loose_deg\n")[2].splitlines()
    assert [line.split() for line in grid[:4]] == [
        ["rules.frontal.strict_deg", "45", "60"],
        ["------------------------", "---", "---"],
        ["30", "3.4", "3.4"],
        ["50", "-", "3.4"],
    ]
    assert "not allowed together, such as rules.frontal.strict_deg=50, rules.frontal.loose_deg=45" in found.text()


@pytest.mark.slow
def test_several_processes_count_the_same(small_run: SmallRun, monkeypatch: pytest.MonkeyPatch) -> None:
    single = curation.vary(small_run.dataset, ["rules.too_short.min_s=3,3.4"])
    monkeypatch.setattr(counting, "_SHARE_TICKS", 1)
    told: list[tuple[int, int]] = []
    several = curation.vary(
        small_run.dataset, ["rules.too_short.min_s=3,3.4"], workers=2, on_progress=lambda *done: told.append(done)
    )
    assert several == single
    assert told == [(1, 2), (2, 2)]


def _command(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["what-if", *arguments])
    return done.exit_code, done.output


def test_the_command_prints_a_table_and_bars_and_draws_a_picture(small_run: SmallRun, tmp_path: Path) -> None:
    for number, vary in enumerate(
        (
            ["rules.too_short.min_s=2:4:1"],
            ["rules.sync.drop=nothing,not_in_sync"],
            ["rules.too_short.min_s=2,4", "rules.mask.max_prob=0,1"],
        )
    ):
        picture = tmp_path / f"{number}.png"
        options = [part for one in vary for part in ("--vary", one)]
        code, output = _command(str(small_run.dataset), *options, "--chart", "--plot", str(picture))
        assert code == 0, output
        assert "█" in output
        assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_command_prints_json(small_run: SmallRun) -> None:
    code, output = _command(str(small_run.dataset), "--vary", "rules.too_short.min_s=3:4:1", "--json")
    assert code == 0
    told = json.loads(output)
    assert told["names"] == ["rules.too_short.min_s"]
    assert [point["values"] for point in told["points"]] == [[3], [4]]
    assert told["points"][1]["total"]["kept_s"] == {"diffusion": 0.0, "vae": 0.0}


def test_a_dataset_without_videos_keeps_nothing_at_any_value(tmp_path: Path) -> None:
    write_dataset(tmp_path / "empty", new_record(CurationSettings(), []))
    found = curation.vary(tmp_path / "empty", ["rules.too_short.min_s=3,4"])
    assert _kept(found) == [(0.0, 0.0), (0.0, 0.0)]
    assert found.text().startswith("0 videos, 0.0 s.")


def test_a_dataset_without_clips_is_counted_as_any_other(small_run: SmallRun, tmp_path: Path) -> None:
    curation.redecide(small_run.dataset, tmp_path / "none", overrides={"rules.too_short.min_s": 10})
    found = curation.vary(tmp_path / "none", ["rules.too_short.min_s=3,10"])
    assert [seconds > 0 for seconds, _ in _kept(found)] == [True, False]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--vary", "rules.frontal.strict=5:40:5"], "strict_deg"),
        (["--vary", "rules.frontal.strict_deg=40:5:5"], "do not lead from 40 to 5"),
        (["--vary", "perception.mask_stride=1,5"], "does not decide what is kept"),
        (["--vary", "rules.too_short.min_s=3", "--set", "perception.mask_stride=1"], "measured otherwise"),
        (["--vary", "rules.too_short.min_s=3", "--plot", "plot.txt"], "end it in .png, .svg, .pdf"),
    ],
)
def test_what_cannot_be_varied_ends_the_command_with_a_sentence(
    small_run: SmallRun, options: list[str], says: str
) -> None:
    code, output = _command(str(small_run.dataset), *options)
    assert code == EXIT_USAGE
    assert says in output


def test_a_folder_that_is_no_dataset_and_evidence_that_is_gone_are_told(small_run: SmallRun, tmp_path: Path) -> None:
    code, output = _command(str(tmp_path), "--vary", "rules.too_short.min_s=3")
    assert code == EXIT_USAGE
    assert str(tmp_path) in output
    shutil.copytree(small_run.dataset, tmp_path / "gone")
    for path in (tmp_path / "gone" / "frames").glob("*.parquet"):
        path.unlink()
    code, output = _command(str(tmp_path / "gone"), "--vary", "rules.too_short.min_s=3")
    assert code == EXIT_USAGE
    assert "is gone; run the curation again" in output


def test_a_picture_shows_the_name_of_a_folder_as_text_and_is_there_as_a_whole_or_not_at_all(
    small_run: SmallRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = curation.vary(small_run.dataset, ["rules.too_short.min_s=3,4"])
    found = replace(found, dataset=str(tmp_path / "$\\frac{$"))  # no formula that can be drawn
    write_chart(found, tmp_path / "kept.svg")
    assert (tmp_path / "kept.svg").read_bytes().startswith(b"<?xml")

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        write_chart(found, tmp_path / "other.svg")
    assert [path.name for path in tmp_path.iterdir()] == ["kept.svg"]
