"""Videos on which a perception model exits, is killed, sleeps for ever or takes memory without end, in a real run."""

import dataclasses
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from helpers.made_videos import counted_picture, frame_times, read_count, write_video
from ray import cloudpickle

import curation.operations.work
from curation.engine.execution import Executor
from curation.engine.supervision import PoolSettings
from curation.engine.worker import VideoWorker, WorkerPlan, ignore_length
from curation.operations.run import run
from curation.perception.protocols import FaceFinder, FaceObservation
from curation.settings import CurationSettings, load_settings
from foundation.array_types import RgbImage
from manifests.files.tables import read_table
from manifests.reports.validate import validate

# Workers cannot import this file: what it defines is sent to them whole.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

pytestmark = pytest.mark.slow  # eight workers are lost, and their models loaded again

QUIET = load_settings(CurationSettings(), None, ["speech.encoder=none", "speech.denoiser=none"])
GUILTY = {"exits": "worker_died", "is_killed": "worker_died", "sleeps": "timed_out", "grows": "out_of_memory"}
"""Their codes; the pictures of the n-th show the number n."""
INNOCENT = ("is_killed_once", "plain_1", "plain_2", "plain_3", "plain_4")
"""Those that end well, although the first of them loses a worker."""


class Poisoned:
    """A face finder that does not survive some pictures."""

    def __init__(self, finder: FaceFinder, marker: Path) -> None:
        self._finder, self._marker = finder, marker
        self.scheme, self.pose_method = finder.scheme, finder.pose_method

    def __call__(self, frame: RgbImage, near: Sequence[FaceObservation] | None = None) -> list[FaceObservation]:
        match read_count(frame):
            case 0:
                os._exit(7)
            case 1:
                os.kill(os.getpid(), signal.SIGKILL)
            case 2:
                time.sleep(3600)
            case 3:
                taken = []
                while True:
                    taken.append(b"x" * 2**25)
                    time.sleep(0.01)
            case 4 if not self._marker.exists():
                self._marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return self._finder(frame, near)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PoisonedPlan(WorkerPlan):
    def make_worker(self, on_length: Callable[[float], None] = ignore_length) -> VideoWorker:
        worker = WorkerPlan.make_worker(self, on_length)
        poisoned = Poisoned(worker.perception.faces, self.dataset.parent / "killed")
        return dataclasses.replace(worker, perception=dataclasses.replace(worker.perception, faces=poisoned))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    for number, name in enumerate([*GUILTY, *INNOCENT]):
        write_video(folder / f"{name}.mp4", frame_times(Fraction(25), 3), [counted_picture(number)] * 3)
    return folder


def rows(dataset: Path) -> dict[str, dict[str, Any]]:
    return {Path(row["path"]).stem: row for row in read_table(dataset, "videos").to_pylist()}


def test_only_the_guilty_videos_are_quarantined_each_with_its_code(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloudpickle.register_pickle_by_value(sys.modules["helpers.made_videos"])
    monkeypatch.setattr(curation.operations.work, "WorkerPlan", PoisonedPlan)
    pool = PoolSettings(deadline_base_s=20.0, deadline_per_s=1.0, max_attempts=2, worker_memory_gib=1.5)
    dataset = tmp_path / "dataset"
    run(str(source), dataset, QUIET, Executor(kind="ray", workers=2, pool=pool))
    found = rows(dataset)
    assert len(found) == len(GUILTY) + len(INNOCENT)
    assert {name: found[name]["error_code"] for name in found} == GUILTY | dict.fromkeys(INNOCENT)
    assert {found[name]["status"] for name in GUILTY} == {"quarantined"}
    assert {found[name]["status"] for name in INNOCENT} == {"ok"}
    assert validate(dataset) == []
    assert not list(dataset.rglob(".*"))  # no half of a file, no note
