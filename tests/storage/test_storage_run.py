"""A whole run from an S3 server to an S3 server, and every command on what it made."""

import json
import os
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from helpers.made_videos import TalkingFace, frame_times, talking_video
from helpers.store_server import StoreServer
from typer.testing import CliRunner

from curation.cli.app import app
from curation.engine.execution import Executor
from curation.operations.run import RunReport, run
from curation.output.ledger import read_ledger
from curation.settings import CurationSettings
from curation.sources.scratch import ScratchSettings
from foundation.storage.atomic import write_bytes_atomic
from foundation.storage.locations import location, remote_of
from manifests.files.tables import read_table
from manifests.files.tar import MemberRange, read_member
from manifests.reports.explain import explain
from manifests.reports.validate import validate
from manifests.schema.tables import TABLES

pytestmark = pytest.mark.slow

_WHERE_AND_WHEN = {"path", "source", "media", "duplicate_of", "error_detail", "analyze_s", "decide_s", "render_s"}
"""Columns that may differ between two runs over the same content in two places."""


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory, talking_face: TalkingFace) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    times_s = frame_times(Fraction(25), 85)
    talking_video(folder / "a_talking.mp4", talking_face, times_s, sound=talking_face.sound(0.0, 3.4))
    (folder / "c_broken.mp4").write_text("no video")
    return folder


@pytest.fixture(scope="module")
def local(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    dataset = tmp_path_factory.mktemp("local") / "dataset"
    run(str(raw), dataset, CurationSettings(), Executor())
    return dataset


@pytest.fixture(scope="module")
def store(s3: StoreServer, raw: Path) -> Path:
    """A bucket with the sources."""
    place = s3.place("runs")
    for path in raw.iterdir():
        write_bytes_atomic(place / "raw" / path.name, path.read_bytes())
    return place


@pytest.fixture(scope="module", params=[1.0, 0.0], ids=["copied to scratch", "read by ranges"])
def curated(
    request: pytest.FixtureRequest, store: Path, s3: StoreServer, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, RunReport, list[tuple[str, str]], Path]:
    scratch = ScratchSettings(folder=tmp_path_factory.mktemp("scratch"), limit_gib=request.param)
    dataset = store / f"dataset-{request.param:.0f}"
    s3.forget()
    report = run(str(store / "raw"), dataset, CurationSettings(), Executor(scratch=scratch))
    return dataset, report, list(s3.requests), scratch.folder


def _rows(dataset: Path, name: str) -> list[dict[str, Any]]:
    kept = [column.name for column in TABLES[name].columns if column.name not in _WHERE_AND_WHEN]
    return read_table(dataset, name, kept).to_pylist()


def _media(dataset: Path) -> list[bytes]:
    rows = read_table(dataset, "clips", ["media", "mp4_offset", "mp4_size", "flac_offset", "flac_size"]).to_pylist()
    return [
        read_member(dataset, row["media"], MemberRange(offset=row[f"{kind}_offset"], size=row[f"{kind}_size"]))
        for row in rows
        for kind in ("mp4", "flac")
    ]


Curated = tuple[Path, RunReport, list[tuple[str, str]], Path]


def test_it_makes_the_rows_and_clips_of_a_local_run(curated: Curated, local: Path) -> None:
    dataset = curated[0]
    assert len(read_table(dataset, "clips")) == 1
    for name in ("videos", "spans", "clips", "frames"):
        assert repr(_rows(dataset, name)) == repr(_rows(local, name)), name
    assert _media(dataset) == _media(local)


def test_it_is_valid_and_its_paths_are_addresses(curated: Curated, store: Path) -> None:
    dataset = curated[0]
    assert validate(dataset) == []
    paths = read_table(dataset, "videos", ["path"])["path"].to_pylist()
    assert paths == [str(store / "raw" / "a_talking.mp4"), str(store / "raw" / "c_broken.mp4")]


def test_originals_are_only_read_and_scratch_is_left_empty(curated: Curated) -> None:
    _, _, requests, scratch = curated
    assert {method for method, path in requests if path.startswith("/runs/raw")} <= {"GET", "HEAD"}
    assert [path.name for path in scratch.iterdir() if path.name != ".lock"] == []


def test_the_same_call_does_nothing_twice_and_a_lost_record_is_done_again(curated: Curated, store: Path) -> None:
    dataset, first, _, scratch = curated
    executor = Executor(scratch=ScratchSettings(folder=scratch))
    again = run(str(store / "raw"), dataset, CurationSettings(), executor)
    assert (again.already_done, len(again.curated)) == (len(first.records), 0)
    (record,) = [record for record in read_ledger(dataset).values() if record.status == "failed"]
    (dataset / "ledger" / f"{record.video_id}.json").unlink()
    assert [done.video_id for done in run(str(store / "raw"), dataset, CurationSettings(), executor).curated] == [
        record.video_id
    ]


def test_events_are_written_in_order(curated: Curated) -> None:
    fs, folder = remote_of(curated[0]).fs, remote_of(curated[0] / "ledger").path
    logs = sorted(name for name in fs.ls(folder, detail=False) if name.endswith(".jsonl"))
    events = [json.loads(line)["event"] for name in logs for line in fs.cat_file(name).splitlines()]
    assert events[:6] == ["run_begin", "begin", "end", "begin", "end", "run_end"]


def _answer(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(arguments), env=dict(os.environ))
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.parametrize("curated", [1.0], indirect=True)
def test_every_command_works_on_it(curated: Curated, store: Path) -> None:
    dataset = str(curated[0])
    assert "valid" in _answer("validate", dataset)
    assert '"n": 1' in _answer("stats", dataset, "--sql", "SELECT count(*) AS n FROM clips", "--json")
    assert "in clip" in _answer("explain", dataset, "a_talking.mp4", "1.0")
    assert explain(curated[0], str(store / "raw" / "a_talking.mp4")).status == "ok"
    assert "unreadable" in _answer("retry", dataset, "--failed", code=1)
    out = str(store / f"decided-{curated[0].name}")
    _answer("decide", dataset, "--out", out, "--set", "rules.frontal.strict_deg=12", "--render")
    assert validate(location(out)) == []
    assert _media(location(out)) == _media(curated[0])


def test_errors_of_addresses_are_one_line_with_their_exit_code(store: Path) -> None:
    assert "holds no dataset.json" in _answer("validate", str(store / "nothing"), code=2)
    assert "foo:// is no protocol" in _answer("validate", "foo://x", code=3)
    assert "holds no video" in _answer("run", "--source", str(store / "empty"), "--out", str(store / "x"), code=2)


@pytest.mark.parametrize(
    "command",
    [["run", "--source", "samples", "--out", "s3://nowhere/dataset"], ["stats", "s3://nowhere/dataset"]],
    ids=["run", "stats"],
)
def test_a_store_that_does_not_answer_stops_a_command_in_one_line(
    command: list[str], repository: Path, command_environment: dict[str, str]
) -> None:
    nobody = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
    done = subprocess.run(
        ["gaia-curate", *command],
        cwd=repository,
        env=command_environment | nobody | {"AWS_ACCESS_KEY_ID": "made-up", "AWS_SECRET_ACCESS_KEY": "made-up"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert done.stderr.startswith("gaia-curate: s3://nowhere/dataset")
    assert len(done.stderr.splitlines()) == 1


def test_forget_leaves_on_a_store_what_it_leaves_on_a_disk(local: Path, bucket: Path, tmp_path: Path) -> None:
    on_disk, on_store = Path(shutil.copytree(local, tmp_path / "dataset")), bucket / "dataset"
    for path in local.rglob("*"):
        if path.is_file():
            write_bytes_atomic(on_store / path.relative_to(local).as_posix(), path.read_bytes())
    for dataset in (on_disk, on_store):
        told = CliRunner().invoke(app, ["forget", str(dataset), "--video", "a_talking.mp4"])
        assert told.exit_code == 0, told.output
        assert told.output.startswith("Removed 1 file and 1 clip,")
        assert validate(dataset) == []
    assert {name: _rows(on_store, name) for name in TABLES} == {name: _rows(on_disk, name) for name in TABLES}
    assert [row["path"] for row in read_table(on_store, "videos").to_pylist()] == [
        row["path"] for row in read_table(local, "videos").to_pylist() if "c_broken" in row["path"]
    ]
    logs = [path for path in on_store.iterdir() if path.name == "ledger"]
    assert all(b"a_talking" not in path.read_bytes() for log in logs for path in log.iterdir())
