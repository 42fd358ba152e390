"""Leases: one process at a time writes to a folder; dead holders are replaced, one contender wins, losers notice."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foundation.errors import EXIT_CANNOT_START
from foundation.storage import lease_in_store
from foundation.storage.lease_in_store import LeaseInStore
from foundation.storage.lease_on_disk import LeaseOnDisk
from foundation.storage.lease_record import LEASE, STALE_S, LeaseFile, LeaseFileError, LeaseRecord, Seen, own_record
from foundation.storage.leases import LeaseHeldError, LeaseLostError, held, holder_of, is_lease_file
from foundation.storage.locations import location, remote_of

_OTHER_HOST = {"host": "elsewhere", "machine": "another-boot:pid"}

_HOLD = """
import sys, time
from pathlib import Path
from foundation.storage.leases import held
with held(Path(sys.argv[1]), "gaia-curate run"):
    print("held", flush=True)
    time.sleep(600)
"""


def _write(folder: Path, record: LeaseRecord) -> None:
    (folder / LEASE).write_text(record.model_dump_json(), encoding="utf-8")


def _age(folder: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(folder / LEASE, (then, then))


def _of_another_host(folder: Path, *, age_s: float) -> LeaseRecord:
    record = own_record("gaia-curate forget").model_copy(update=_OTHER_HOST)
    _write(folder, record)
    _age(folder, age_s)
    return record


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lease of `tmp_path`."""
    command = [sys.executable, "-c", _HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_is_refused_with_command_host_process_and_time_of_the_first(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    with pytest.raises(LeaseHeldError) as refusal, held(tmp_path, "gaia-curate forget"):
        pass
    record = LeaseOnDisk(tmp_path).holder().record
    told = f"`gaia-curate run` on host {socket.gethostname()}, process {holder.pid}, since {record.since}"
    assert told in str(refusal.value)
    assert "--wait" in str(refusal.value)
    assert refusal.value.exit_code == EXIT_CANNOT_START


def test_a_lease_ends_with_its_block_and_leaves_nothing(tmp_path: Path) -> None:
    with held(tmp_path / "new" / "folder", "gaia-curate run") as lease:
        lease.require()
        assert holder_of(tmp_path / "new" / "folder").key == lease.token.token
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_its_last_holder_removes_meanwhile_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, written, removed = tmp_path / "new", LeaseOnDisk._written, list[Path]()

    def removed_first(lease: LeaseOnDisk, record: LeaseRecord) -> Path:
        if not removed:
            removed.append(folder)
            folder.rmdir()
        return written(lease, record)

    monkeypatch.setattr(LeaseOnDisk, "_written", removed_first)
    with held(folder, "gaia-curate run"):
        assert (folder / LEASE).exists()
    assert removed == [folder]


def test_a_folder_with_content_stays(tmp_path: Path) -> None:
    with held(tmp_path / "new", "gaia-curate run"):
        (tmp_path / "new" / "file").touch()
        assert all(is_lease_file(path.name) for path in (tmp_path / "new").iterdir() if path.name != "file")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file"]


def test_the_lease_of_a_killed_process_is_taken_over_at_once_and_told(
    tmp_path: Path, holder: subprocess.Popen[str], caplog: pytest.LogCaptureFixture
) -> None:
    holder.kill()
    holder.wait()
    assert holder_of(tmp_path) is None
    with held(tmp_path, "gaia-curate run") as lease:
        lease.require()
    assert f"process {holder.pid}" in caplog.text
    assert "taken over" in caplog.text


def test_a_process_number_that_was_given_out_again_is_not_the_holder(tmp_path: Path) -> None:
    mine = own_record("gaia-curate run")
    _write(tmp_path, mine.model_copy(update={"started": mine.started + 1}))
    with held(tmp_path, "gaia-curate run"):
        pass


def test_a_stopped_process_keeps_its_lease_for_a_minute_and_then_loses_it(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    os.kill(holder.pid, signal.SIGSTOP)
    with pytest.raises(LeaseHeldError), held(tmp_path, "gaia-curate run"):
        pass
    _age(tmp_path, STALE_S + 1)
    with held(tmp_path, "gaia-curate run") as lease:
        lease.require()


@pytest.mark.parametrize("age_s", [0.0, STALE_S - 10, -STALE_S + 10])
def test_a_holder_on_another_host_that_renews_its_lease_is_left_alone(tmp_path: Path, age_s: float) -> None:
    record = _of_another_host(tmp_path, age_s=age_s)
    with pytest.raises(LeaseHeldError, match="on host elsewhere"), held(tmp_path, "gaia-curate run"):
        pass
    assert holder_of(tmp_path).record == record


@pytest.mark.parametrize("age_s", [STALE_S + 1, -STALE_S - 100])
def test_a_holder_on_another_host_without_a_sign_of_life_is_replaced(tmp_path: Path, age_s: float) -> None:
    _of_another_host(tmp_path, age_s=age_s)
    assert holder_of(tmp_path) is None
    with held(tmp_path, "gaia-curate run") as lease:
        assert holder_of(tmp_path).key == lease.token.token


@pytest.mark.parametrize(("age_s", "there"), [(0.0, True), (STALE_S + 60, False)])
def test_readers_of_a_folder_that_cannot_be_written_see_whether_its_holder_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age_s: float, there: bool
) -> None:
    _of_another_host(tmp_path, age_s=age_s)

    def refused(*_: object) -> int:
        raise OSError(30, "a file system for reading alone")

    monkeypatch.setattr("foundation.storage.lease_on_disk._make", refused)
    assert (holder_of(tmp_path) is not None) == there


def test_a_holder_that_lost_its_lease_learns_of_it_and_leaves_that_of_the_next(tmp_path: Path) -> None:
    with held(tmp_path, "gaia-curate run") as first:
        _age(tmp_path, STALE_S + 1)
        with held(tmp_path, "gaia-curate forget") as second:
            for use in (first.require, first.token.require, first.require):
                with pytest.raises(LeaseLostError, match="held by `gaia-curate forget`"):
                    use()
            first.release()
            second.require()


def test_a_lease_that_a_user_removed_is_lost(tmp_path: Path) -> None:
    with held(tmp_path, "gaia-curate run") as lease:
        (tmp_path / LEASE).unlink()
        with pytest.raises(LeaseLostError, match="was removed"):
            lease.require()


def test_a_holder_that_cannot_renew_stops_before_others_may_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 1000.0
    monkeypatch.setattr("foundation.storage.lease_renewal._now", lambda: now_s)
    with held(tmp_path, "gaia-curate run") as lease:
        now_s += STALE_S / 2
        lease.require()
        now_s += STALE_S / 2 - 1
        with pytest.raises(LeaseLostError, match="could not be renewed for 59 s"):
            lease.require()


def test_a_lease_is_renewed_in_the_background(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foundation.storage.lease_renewal._RENEW_S", 0.05)
    with held(tmp_path, "gaia-curate run"):
        _age(tmp_path, STALE_S - 5)
        _until(lambda: LeaseOnDisk(tmp_path).read(aged=True).age_s < 5)


def test_with_wait_the_second_begins_when_the_first_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("foundation.storage.leases._LOOK_S", 0.02)
    order: list[str] = []

    def second() -> None:
        with held(tmp_path, "gaia-curate forget", wait=True):
            order.append("second")

    with ExitStack() as stack:
        stack.enter_context(held(tmp_path, "gaia-curate run"))
        thread = threading.Thread(target=second)
        thread.start()
        _until(lambda: "waiting for `gaia-curate run`" in caplog.text)
        order.append("first")
    thread.join(timeout=30)
    assert order == ["first", "second"]
    assert caplog.text.count("waiting") == 1


def test_a_link_a_pipe_or_a_folder_in_place_of_a_lease_is_refused_by_name(tmp_path: Path) -> None:
    outside = tmp_path / "outside.json"
    outside.write_text(own_record("gaia-curate run").model_dump_json(), encoding="utf-8")
    kinds: list[Callable[[Path], None]] = [
        lambda path: path.symlink_to(outside),
        lambda path: path.symlink_to("nowhere"),
        os.mkfifo,
        Path.mkdir,
    ]
    for number, make in enumerate(kinds):
        folder = tmp_path / str(number)
        folder.mkdir()
        make(folder / LEASE)
        refused = pytest.raises(LeaseFileError, match=r"\.lease\.json is a (link|named pipe|folder), .*remove it")
        with refused, held(folder, "gaia-curate run", wait=True):
            pass
        with pytest.raises(LeaseFileError):
            holder_of(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff" * 10_000_000,
        own_record("gaia-curate run").model_dump_json().encode().replace(b"gaia-curate", b"\x1b[2J"),
        own_record("gaia-curate run").model_copy(update={"process": -1}).model_dump_json().encode(),
    ],
    ids=["empty", "cut", "large", "control", "negative"],
)
def test_a_file_that_is_no_lease_locks_nobody_out(tmp_path: Path, content: bytes) -> None:
    (tmp_path / LEASE).write_bytes(content)
    told = r"whose lease cannot be read.*remove .*\.lease\.json"
    with pytest.raises(LeaseHeldError, match=told) as refusal, held(tmp_path, "gaia-curate run"):
        pass
    assert str(refusal.value).isprintable()
    _age(tmp_path, STALE_S + 1)
    with held(tmp_path, "gaia-curate run") as lease:
        lease.require()


def test_what_was_left_in_the_middle_of_taking_over_stops_nobody_for_longer_than_a_lease_lives(tmp_path: Path) -> None:
    record = _of_another_host(tmp_path, age_s=STALE_S + 1)
    claim = tmp_path / f".lease-after-{record.token}-0.tmp"
    claim.touch()
    seen = LeaseOnDisk(tmp_path).read()
    assert not LeaseOnDisk(tmp_path).replace(seen, own_record("gaia-curate run"))
    os.utime(claim, (0, 0))
    with held(tmp_path, "gaia-curate run"):
        assert [path.name for path in tmp_path.iterdir()] == [LEASE]


def test_of_many_that_find_a_dead_lease_one_takes_it_over(tmp_path: Path) -> None:
    for number in range(30):
        folder = tmp_path / str(number)
        folder.mkdir()
        _of_another_host(folder, age_s=STALE_S + 1)
        _one_of_many_wins(lambda folder=folder: LeaseOnDisk(folder), 8)


def test_of_many_that_find_no_lease_one_makes_it(tmp_path: Path) -> None:
    for number in range(30):
        folder = tmp_path / str(number)
        folder.mkdir()
        _one_of_many_wins(lambda folder=folder: LeaseOnDisk(folder), 8)


def test_a_disk_without_hard_links_gives_leases_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_path: Path, _target: Path) -> None:
        raise PermissionError(1, "no links here")

    monkeypatch.setattr(Path, "hardlink_to", refused)
    _one_of_many_wins(lambda: LeaseOnDisk(tmp_path), 8)
    _age(tmp_path, STALE_S + 1)
    with held(tmp_path, "gaia-curate run") as lease:
        lease.require()
    assert list(tmp_path.iterdir()) == []


class _Contender:
    """A process in the middle of its steps, with what it saw when it looked last."""

    def __init__(self, file: LeaseFile) -> None:
        self._file, self.record = file, own_record("gaia-curate run")
        self._seen: Seen | None = None

    def take(self, step: str, owner: str | None) -> str | None:
        """Take a step, given whose lease there is; return whose there is then."""
        key = self.record.token
        if step == "create" and owner != key:
            assert self._file.create(self.record) == (owner is None)
            return owner or key
        if step == "look":
            self._seen = self._file.read()
            assert (self._seen.holder.key if self._seen else None) == owner
        elif step == "replace" and self._seen is not None and owner != key:
            now = self._file.read()
            unchanged = now is not None and now.version == self._seen.version
            assert self._file.replace(self._seen, self.record) == unchanged
            return key if unchanged else owner
        elif step == "renew":
            assert self._file.renew(self.record) == (owner == key)
        elif step == "remove":
            self._file.remove(self.record)
            return None if owner == key else owner
        return owner


_STEPS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["create", "look", "replace", "renew", "remove"])), max_size=25
)


def _check_steps(make: Callable[[], LeaseFile], steps: list[tuple[int, str]]) -> None:
    """Take steps of three processes in some order and compare each answer with a model of one holder."""
    contenders = [_Contender(make()) for _ in range(3)]
    owner: str | None = None
    for number, step in steps:
        owner = contenders[number].take(step, owner)
        found = make().read()
        assert (found.holder.key if found else None) == owner


@settings(max_examples=60, deadline=None)
@given(steps=_STEPS)
def test_whatever_the_order_of_their_steps_processes_never_hold_a_lease_together(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str]]
) -> None:
    folder = tmp_path_factory.mktemp("lease")
    _check_steps(lambda: LeaseOnDisk(folder), steps)


@settings(max_examples=60, deadline=None)
@given(steps=_STEPS)
def test_nor_in_a_store_without_conditions(steps: list[tuple[int, str]]) -> None:
    folder = location("memory://leases/dataset")
    remote_of(folder).fs.store.clear()
    settle_s, lease_in_store._SETTLE_S = lease_in_store._SETTLE_S, 0.0
    try:
        _check_steps(lambda: LeaseInStore(folder), steps)
    finally:
        lease_in_store._SETTLE_S = settle_s
        remote_of(folder).fs.store.clear()


def _one_of_many_wins(make: Callable[[], LeaseFile], n: int) -> None:
    """Let `n` processes take a lease that is free or dead at the same time."""
    together = threading.Barrier(n)

    def take(_: int) -> bool:
        file, record = make(), own_record("gaia-curate run")
        seen = file.read()
        together.wait()
        return file.create(record) if seen is None else file.replace(seen, record)

    with ThreadPoolExecutor(n) as threads:
        assert sum(threads.map(take, range(n))) == 1


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
