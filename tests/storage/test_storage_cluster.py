"""A run over machines that share no folder, one of which joins late and one fails: the dataset of one machine."""

import json
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from helpers.made_videos import TalkingFace, frame_times, talking_video
from helpers.ray_hosts import Host, hosts
from helpers.store_server import StoreServer

from curation.engine.execution import Executor
from curation.operations.run import run
from curation.settings import CurationSettings
from foundation.storage.atomic import write_bytes_atomic
from foundation.storage.locations import remote_of
from manifests.files.tables import read_table
from manifests.reports.validate import validate
from manifests.schema.tables import TABLES

pytestmark = pytest.mark.slow

_SPENT = {"analyze_s", "decide_s", "render_s"}
"""Columns that differ between two runs over the same videos."""

_LENGTHS_TICKS = (25, 85, 30, 35)
"""Lengths of the videos; one of them becomes a clip, the others are too short for one."""


class Course:
    """Events of the run that tell when a machine joins and when one fails, and the pause that makes room for it."""

    def __init__(self) -> None:
        self.first_works, self.second_wrote, self.first_failed = threading.Event(), threading.Event(), threading.Event()
        self.asked: Counter[tuple[str, str]] = Counter()
        self._read: set[str] = set()

    def before(self, key: str, method: str, path: str) -> None:
        """Receive a request; hold the first machine in its second video until the second has written one."""
        self.asked[key, method] += 1
        if key == "first" and method == "GET" and "/raw/" in path:
            self._read.add(path)
            self.first_works.set()
            if len(self._read) == 2:
                self.first_failed.wait(240)
        if key == "second" and method == "PUT" and "/ledger/" in path:
            self.second_wrote.set()


@pytest.fixture(scope="module")
def store(s3: StoreServer, tmp_path_factory: pytest.TempPathFactory, talking_face: TalkingFace) -> Path:
    """A bucket with the sources, and with the dataset that one machine makes of them."""
    place, folder = s3.place("cluster"), tmp_path_factory.mktemp("raw")
    for number, n_ticks in enumerate(_LENGTHS_TICKS):
        name, sound = f"{number}.mp4", talking_face.sound(0.0, n_ticks / 25)
        talking_video(folder / name, talking_face, frame_times(Fraction(25), n_ticks), sound=sound)
        write_bytes_atomic(place / "raw" / name, (folder / name).read_bytes())
    run(str(place / "raw"), place / "of_one", CurationSettings(), Executor())
    return place


@pytest.fixture
def machines(s3: StoreServer, store: Path) -> Iterator[list[Host]]:  # noqa: ARG001 - the server has to run
    names = {"head": "127.0.0.2", "first": "127.0.0.3", "second": "127.0.0.4"}
    variables = {"AWS_ENDPOINT_URL": s3.url, "AWS_DEFAULT_REGION": "us-east-1"}
    with tempfile.TemporaryDirectory(prefix="g", dir="/tmp") as folder, hosts(Path(folder), names, variables) as made:
        yield made
    s3.before_signed = None


def _objects(dataset: Path) -> dict[str, bytes]:
    """Return the objects of a dataset without those that tell of time: tables with seconds, log and totals."""
    base = str(dataset).removeprefix("s3://")
    found = {name.removeprefix(base): name for name in remote_of(dataset).fs.find(base)}
    fs = remote_of(dataset).fs
    return {name: fs.cat(path) for name, path in found.items() if name.startswith(("/clips", "/media", "/tars"))}


def _rows(dataset: Path, name: str) -> list[dict[str, Any]]:
    kept = [column.name for column in TABLES[name].columns if column.name not in _SPENT]
    return read_table(dataset, name, kept).to_pylist()


def _events(dataset: Path) -> list[dict[str, Any]]:
    fs, base = remote_of(dataset).fs, str(dataset / "ledger").removeprefix("s3://")
    lines = [line for name in sorted(fs.glob(f"{base}/events-*.jsonl")) for line in fs.cat(name).splitlines()]
    return [json.loads(line) for line in lines]


def test_machines_that_come_and_go_make_the_dataset_of_one(s3: StoreServer, store: Path, machines: list[Host]) -> None:
    head, first, second = machines
    course, dataset = Course(), store / "of_several"
    s3.before_signed = course.before
    address = head.start_head()
    first.start_ray(f"--address={address}", cpus=1)
    command = ["gaia-curate", "run", "--source", str(store / "raw"), "--out", str(dataset)]
    command += ["--ray-address", address, "--workers", "2", "--preset", "embedded"]
    driver = subprocess.Popen(
        command, env=head.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        assert course.first_works.wait(240)
        second.start_ray(f"--address={address}", cpus=1)
        assert course.second_wrote.wait(240)
        first.fail()
        course.first_failed.set()
        printed, _ = driver.communicate(timeout=240)
    finally:
        course.first_failed.set()
        driver.kill()
    assert driver.returncode == 0, printed
    losses = [event for event in _events(dataset) if event["event"] == "loss"]
    assert len(losses) == 1, losses
    for name in TABLES:
        assert repr(_rows(dataset, name)) == repr(_rows(store / "of_one", name)), name
    assert len(_objects(dataset)) >= 2  # the clip and its row
    assert _objects(dataset) == _objects(store / "of_one")
    assert validate(dataset) == []
    assert {"first", "second"} <= {key for key, method in course.asked if method == "PUT"}
    for host in (first, second):
        assert not list((host.folder / "tmp").rglob("*.mp4")), "a copy is left"
