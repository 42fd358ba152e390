"""Near-duplicates of a dataset, and the column `split` that follows."""

import json
import shutil
from pathlib import Path

import pytest
from helpers.made_videos import SmallRun
from typer.testing import CliRunner

from curation.cli.app import app
from curation.engine.execution import Executor
from curation.operations.decide import redecide
from curation.operations.duplicates import find_duplicates
from curation.operations.forget import forget
from curation.operations.run import run
from curation.output.ledger import read_ledger
from curation.settings import CurationSettings
from manifests.files.tables import read_table
from manifests.reports.validate import validate


@pytest.fixture
def dataset(small_run: SmallRun, tmp_path: Path) -> Path:
    """A copy of the small run, in which one talking face is in two videos, once without its sound."""
    return Path(shutil.copytree(small_run.dataset, tmp_path / "dataset"))


def files(dataset: Path) -> dict[str, bytes]:
    return {str(path.relative_to(dataset)): path.read_bytes() for path in sorted(dataset.rglob("*")) if path.is_file()}


def test_near_duplicates_are_recorded_reported_and_kept_by_later_commands(dataset: Path, small_run: SmallRun) -> None:
    found = find_duplicates(dataset)
    (pair,) = found.pairs
    assert {Path(path).name for path in found.paths.values()} == {"a_talking.mp4", "b_mute.mp4"}
    assert pair.what.face > 0.9
    rows = read_table(dataset, "videos", ["path", "duplicate_group", "duplicate_of"]).to_pylist()
    grouped = {Path(row["path"]).name for row in rows if row["duplicate_group"] == pair.video_id}
    assert grouped == {"a_talking.mp4", "b_mute.mp4", "d_again.mp4"}
    assert {record.duplicate_group for record in read_ledger(dataset).values()} == {pair.video_id, None}
    assert validate(dataset) == []

    before = files(dataset)
    assert find_duplicates(dataset).pairs == found.pairs
    assert files(dataset) == before  # the same bytes
    run(str(small_run.source), dataset, CurationSettings(), Executor())
    assert {name: content for name, content in files(dataset).items() if not name.startswith("ledger/events")} == {
        name: content for name, content in before.items() if not name.startswith("ledger/events")
    }
    decided = redecide(dataset, dataset.parent / "decided")
    assert set(decided.videos()["duplicate_group"].to_pylist()) == {pair.video_id, None}
    forget(dataset, videos=["b_mute.mp4"])
    assert find_duplicates(dataset).pairs == ()
    assert set(read_table(dataset, "videos", ["duplicate_group"])["duplicate_group"].to_pylist()) == {None}


def test_the_command_prints_the_pairs_and_the_hours_of_the_splits(dataset: Path) -> None:
    said = CliRunner().invoke(app, ["duplicates", str(dataset)])
    assert said.exit_code == 0, said.output
    assert "Compared 2 videos: 1 pair of near-duplicates in 1 group." in said.output
    assert "a_talking.mp4" in said.output
    assert "train  6.8  100.0%" in said.output
    stated = json.loads(CliRunner().invoke(app, ["duplicates", str(dataset), "--json"]).output)
    (pair,) = stated["pairs"]
    assert (stated["videos"], pair["sound"], pair["mirrored"]) == (2, None, False)
    nothing = CliRunner().invoke(app, ["duplicates", str(dataset.parent)])
    assert nothing.exit_code == 2
