"""A pool whose workers die, hang and grow: only the guilty unit is lost, with the right code."""

import ctypes
import dataclasses
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import ray
from ray import cloudpickle
from ray.cluster_utils import Cluster

from curation.engine import ray_pool, ray_workers
from curation.engine.events import NO_HOOKS, RunHooks, UnitEvent
from curation.engine.pool_worker import PoolWorker
from curation.engine.ray_pool import RayUnavailableError, curate_on_ray
from curation.engine.supervision import PoolSettings
from curation.engine.units import Result, Unit, ended
from curation.output.ledger import VideoRecord, read_ledger
from curation.sources.entries import SourceVideo
from manifests.timeline import Window

# Workers cannot import this file: what it defines is sent to them whole.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

pytestmark = pytest.mark.slow

WINDOWS = tuple(Window(first_tick=k, end_tick=k + 250) for k in (0, 250, 500))
QUICK = PoolSettings(deadline_base_s=6.0, deadline_per_s=1.0, max_attempts=2, worker_memory_gib=1.0)


def _take_memory() -> None:
    taken = []
    while True:
        taken.append(b"x" * 2**26)
        time.sleep(0.01)


def _fall_ill(how: str, worker: "Worker") -> None:
    if how == "grows":
        worker.on_length(600.0)  # a busy machine takes longer than a short video's deadline to give memory
        _take_memory()
    elif how == "stops":
        os.kill(os.getpid(), signal.SIGSTOP)
    else:
        ctypes.PyDLL(None).sleep(8)  # as a library that does not let the interpreter go


class Worker:
    """Models and a folder, as far as the units of these tests need them."""

    def __init__(self, dataset: Path, on_length: Callable[[float], None], models: bytes = b"") -> None:
        self.dataset, self.on_length, self.models = dataset, on_length, models


@dataclass(frozen=True, kw_only=True)
class Acting(Unit):
    """A unit that does what its video's name says."""

    window: Window | None = None

    @property
    def n_ticks(self) -> int | None:
        return None if self.window is None else self.window.n_ticks

    def _step_name(self) -> str:
        return "video" if self.window is None else f"ticks {self.window.first_tick} to {self.window.end_tick}"

    def _run(self, *_: object) -> Result:
        raise NotImplementedError

    def run(self, worker: Any) -> Result:  # noqa: ANN401
        with (worker.dataset / "seen").open("a") as seen:
            seen.write(f"{self.name} {os.getpid()}\n")
        match self.video.path.stem.partition("_")[0]:
            case "exits":
                os._exit(7)
            case "crashes":
                ctypes.string_at(0)
            case "hangs":
                time.sleep(3600)
            case "stuck":
                worker.on_length(1.0)
                time.sleep(3600)
            case "grows" | "stops" | "holds" as how:
                _fall_ill(how, worker)
            case "slow" | "pair" as how:
                self._take_time(how, worker.dataset / "seen")
            case "flaky":
                marker = worker.dataset / "flaky"
                if not marker.exists():
                    marker.touch()
                    os._exit(1)
            case "long":
                return self._part_of_a_long_video()
        return ended(self._record())

    def _take_time(self, how: str, seen: Path) -> None:
        """Take half a second; as one of a pair, end when both have begun, or 2 s later."""
        if how == "slow":
            time.sleep(0.5)
            return
        while len(seen.read_text().splitlines()) < 2:
            time.sleep(0.05)
        time.sleep(2.0 if self.video.path.stem == "pair_2" else 0.0)

    def _part_of_a_long_video(self) -> Result:
        if self.window == WINDOWS[1]:
            os._exit(1)
        if self.window is not None:
            return Result(word="measured")
        steps = tuple(Acting(video=self.video, window=window) for window in WINDOWS)
        return Result(word="divided", steps=steps, then=Acting(video=self.video))

    def _record(self) -> VideoRecord:
        video = self.video
        return VideoRecord(
            video_id=video.video_id, source="made", path=str(video.path), speaker_id=None, size_bytes=1, status="ok"
        )


def acting(videos: Iterable[SourceVideo]) -> list[Acting]:
    return [Acting(video=video) for video in videos]


def windowed(videos: Iterable[SourceVideo]) -> list[Acting]:
    """Return units whose length is known, so that the driver has a deadline for each."""
    return [Acting(video=video, window=WINDOWS[0]) for video in videos]


@dataclass(frozen=True)
class Plan:
    dataset: Path

    def make_worker(self, on_length: Callable[[float], None]) -> Worker:
        return Worker(self.dataset, on_length)


@dataclass(frozen=True)
class BrokenPlan(Plan):
    def make_worker(self, on_length: Callable[[float], None]) -> Worker:  # noqa: ARG002
        raise FileNotFoundError("made by the test: no weights here")


@dataclass(frozen=True)
class StoppingPlan(Plan):
    """Models of which the first worker, or every one, does not come to an end of loading them."""

    for_ever: bool = False

    def make_worker(self, on_length: Callable[[float], None]) -> Worker:
        marker = self.dataset / "stopped"
        if self.for_ever or not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGSTOP)
        return Worker(self.dataset, on_length)


class StoppingWorker(PoolWorker):
    """A worker of which the first stands still before it can answer anything."""

    def __init__(self) -> None:
        marker = Path(os.environ["STOPPED_MARKER"])
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGSTOP)
        super().__init__()


@dataclass(frozen=True)
class LargePlan(Plan):
    def make_worker(self, on_length: Callable[[float], None]) -> Worker:
        return Worker(self.dataset, on_length, models=b"x" * 2**30)


def videos(names: Sequence[str]) -> list[SourceVideo]:
    return [
        SourceVideo(
            path=Path(f"{name}.mp4"), video_id=f"{number:016x}", source="made", speaker_id=None, size_bytes=100 - number
        )
        for number, name in enumerate(names)
    ]


def curated(
    plan: Plan, names: Sequence[str], settings: PoolSettings, workers: int = 2, hooks: RunHooks = NO_HOOKS
) -> dict[str, VideoRecord]:
    anything: Any = plan
    pool = curate_on_ray(
        anything,
        videos(names),
        workers=workers,
        address=None,
        gpus_per_worker=0.0,
        settings=settings,
        hooks=hooks,
        units=acting,
    )
    records = list(pool)
    assert len({record.video_id for record in records}) == len(records)
    return {Path(record.path).stem: record for record in records}


def test_only_the_guilty_are_quarantined_each_with_its_code(tmp_path: Path) -> None:
    guilty = {"exits": "worker_died", "crashes": "worker_died", "hangs": "timed_out", "grows": "out_of_memory"}
    innocent = [f"good_{number}" for number in range(12)]
    events: list[UnitEvent] = []
    records = curated(Plan(tmp_path), [*guilty, *innocent, "flaky"], QUICK, hooks=RunHooks(on_event=events.append))
    assert {name: records[name].error_code for name in guilty} == guilty
    assert {records[name].status for name in guilty} == {"quarantined"}
    assert {records[name].status for name in [*innocent, "flaky"]} == {"ok"}
    ledger = read_ledger(tmp_path)
    assert sorted(Path(record.path).stem for record in ledger.values()) == sorted(guilty)
    attempts = [line.split()[0] for line in (tmp_path / "seen").read_text().splitlines()]
    assert {attempts.count(records[name].video_id) for name in [*guilty, "flaky"]} == {2}
    assert {attempts.count(records[name].video_id) for name in innocent} == {1}
    for name, code in {**guilty, "flaky": "worker_died"}.items():
        mine = [event for event in events if event.unit.video.video_id == records[name].video_id]
        end = ["end"] if name == "flaky" else ["loss", "quarantine"]
        assert [event.kind for event in mine] == ["begin", "loss", "retry", "begin", *end]
        assert {event.reason for event in mine if event.kind in ("loss", "quarantine")} == {code}
    lost_by = [event.worker for event in events if event.kind == "loss"]
    assert len(set(lost_by)) == len(lost_by)  # a worker that lost a unit is none any more


def test_a_worker_gives_a_video_the_time_that_goes_with_its_length(tmp_path: Path) -> None:
    settings = PoolSettings(deadline_base_s=2.0, deadline_per_s=3.0, max_attempts=1, worker_memory_gib=1.0)
    begun = time.monotonic()
    records = curated(Plan(tmp_path), ["stuck", "hangs"], settings)
    assert {name: record.error_code for name, record in records.items()} == {"stuck": "timed_out", "hangs": "timed_out"}
    assert "not done after 5 s" in str(records["stuck"].error_detail)  # 2 s, and 3 for its second of video
    assert "not done after 2 s" in str(records["hangs"].error_detail)  # a file of 100 bytes that it is not done opening
    assert time.monotonic() - begun < 500


ALERT = PoolSettings(deadline_base_s=900.0, max_attempts=1, silence_s=5.0, worker_memory_gib=1.0)
"""Deadlines far away, and little patience with a worker that does not answer."""


def test_a_worker_that_is_stopped_is_noticed_long_before_the_deadline_of_its_unit(tmp_path: Path) -> None:
    begun = time.monotonic()
    events: list[UnitEvent] = []
    records = curated(Plan(tmp_path), ["stops", "good_1"], ALERT, hooks=RunHooks(on_event=events.append))
    assert {name: record.error_code for name, record in records.items()} == {"stops": "timed_out", "good_1": None}
    assert "no sign of life for 5 s, its worker was ended" in str(records["stops"].error_detail)
    assert [event.reason for event in events if event.kind == "loss"] == ["timed_out"]
    assert time.monotonic() - begun < 120


def test_a_worker_is_not_taken_for_stopped_while_a_library_keeps_its_interpreter_busy(tmp_path: Path) -> None:
    settings = dataclasses.replace(ALERT, silence_s=30.0)
    records = curated(Plan(tmp_path), ["holds", "slow_1"], settings)
    assert {record.status for record in records.values()} == {"ok"}


def test_by_default_a_stopped_worker_is_noticed_within_two_minutes() -> None:
    assert PoolSettings().silence_s + ray_workers._ASK_EVERY_S + ray_pool._LOOK_EVERY_S <= 120


def test_a_worker_that_is_stopped_while_it_loads_its_models_is_replaced(tmp_path: Path) -> None:
    records = curated(StoppingPlan(tmp_path), ["good_1"], ALERT, workers=1)
    assert records["good_1"].status == "ok"


def test_workers_that_all_stop_while_they_load_end_the_run_with_the_reason(tmp_path: Path) -> None:
    settings = dataclasses.replace(ALERT, silence_s=2.0)
    with pytest.raises(RayUnavailableError, match="it gave no sign of life while it loaded its models, and was ended"):
        curated(StoppingPlan(tmp_path, for_ever=True), ["good_1"], settings, workers=1)


def test_a_worker_that_is_stopped_before_it_can_answer_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOPPED_MARKER", str(tmp_path / "stopped"))
    monkeypatch.setattr(ray_workers, "PoolWorker", StoppingWorker)
    records = curated(Plan(tmp_path), ["good_1"], ALERT, workers=1)
    assert records["good_1"].status == "ok"
    assert (tmp_path / "stopped").exists()


def test_what_workers_did_while_the_driver_stood_still_does_not_count_against_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_pool, "_ABSENT_S", 3.0)
    settings = PoolSettings(deadline_base_s=15.0, deadline_per_s=0.0, max_attempts=1, silence_s=15.0)
    plan: Any = Plan(tmp_path)
    pool = curate_on_ray(
        plan,
        videos(["pair_1", "pair_2"]),
        workers=2,
        address=None,
        gpus_per_worker=0.0,
        settings=settings,
        units=windowed,
    )
    statuses = []
    for record in pool:
        statuses.append(record.status)
        if len(statuses) == 1:
            time.sleep(18)  # beyond the deadline of the other unit, which ends meanwhile
    assert statuses == ["ok"] * 2


def test_ray_that_does_not_come_up_is_tried_again_and_then_stops_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str | None] = []

    def slow(*, address: str | None, **_: object) -> None:
        tried.append(address)
        raise Exception("made by the test: timed out")  # noqa: TRY002 - as Ray does

    monkeypatch.setattr(ray, "init", slow)
    with pytest.raises(RayUnavailableError, match="cannot start Ray on this machine: made by the test: timed out"):
        curated(Plan(tmp_path), ["good_1"], QUICK)
    assert tried == [None] * 3


def test_a_window_that_kills_its_worker_quarantines_its_video_alone(tmp_path: Path) -> None:
    records = curated(Plan(tmp_path), ["long", "good_1", "good_2"], QUICK)
    assert {name: record.status for name, record in records.items()} == {
        "long": "quarantined",
        "good_1": "ok",
        "good_2": "ok",
    }
    detail = records["long"].error_detail
    assert detail is not None
    assert "ticks 250 to 500" in detail


@pytest.mark.parametrize(("worker_min_s", "n_units_each"), [(0.0, [3, 3, 2]), (600.0, [8])])
def test_workers_are_replaced_after_so_many_units_and_not_while_they_are_young(
    tmp_path: Path, worker_min_s: float, n_units_each: list[int]
) -> None:
    settings = PoolSettings(units_per_worker=3, worker_min_s=worker_min_s, worker_memory_gib=1.0)
    curated(Plan(tmp_path), [f"good_{number}" for number in range(8)], settings, workers=1)
    pids = [line.split()[-1] for line in (tmp_path / "seen").read_text().splitlines()]
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == n_units_each


def test_workers_that_cannot_load_stop_the_run_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(RayUnavailableError, match="made by the test: no weights here"):
        curated(BrokenPlan(tmp_path), ["good_1"], QUICK)


def test_models_that_do_not_fit_stop_the_run_and_no_video_is_blamed(tmp_path: Path) -> None:
    with pytest.raises(RayUnavailableError, match=r"the worker took 1\.\d\d GiB of memory, 0\.50 are allowed"):
        curated(LargePlan(tmp_path), ["good_1"], PoolSettings(worker_memory_gib=0.5))
    assert not (tmp_path / "seen").exists()
    assert not list(tmp_path.rglob(".*"))


def test_a_lost_node_costs_only_what_it_had_in_flight(tmp_path: Path) -> None:
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        lost = cluster.add_node(num_cpus=1)
        cluster.add_node(num_cpus=1)
        names = [f"slow_{number}" for number in range(18)]
        plan: Any = Plan(tmp_path)
        pool = curate_on_ray(
            plan,
            videos(names),
            workers=3,
            address=cluster.address,
            gpus_per_worker=0.0,
            settings=PoolSettings(worker_memory_gib=1.0),
            units=acting,
        )
        records = [next(pool) for _ in range(4)]
        cluster.remove_node(lost, allow_graceful=False)
        records += list(pool)
    finally:
        cluster.shutdown()
    assert sorted(Path(record.path).stem for record in records) == sorted(names)
    assert {record.status for record in records} == {"ok"}
    begun = [line.split()[0] for line in (tmp_path / "seen").read_text().splitlines()]
    assert sum(begun.count(record.video_id) - 1 for record in records) <= 1
