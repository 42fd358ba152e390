"""Ray on a shared machine: its ports answer this machine alone, its files are the user's alone."""

import http.client
import os
import stat
import tempfile
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest
import ray

from curation.engine.ray_start import connect
from foundation.storage.private_folder import UnsafeFolderError

LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
"""127.0.0.1 and ::1 as `/proc/net` writes them: of version 4, of version 4 in 6, of version 6."""

LISTENS = "0A"


def family(pid: int) -> set[int]:
    """Return the process and all below it."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(status.parent.name)] = int(words[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def listening(pids: set[int]) -> set[str]:
    """Return the addresses on which processes listen for connections."""
    inodes = set()
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = str(descriptor.readlink())
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes.add(target[len("socket:[") : -1])
    rows = [line.split() for table in ("tcp", "tcp6") for line in Path("/proc/net", table).read_text().splitlines()[1:]]
    return {row[1].partition(":")[0] for row in rows if row[3] == LISTENS and row[9] in inodes}


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder that Ray's files are put into; a short name, for sockets lie in it."""
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("RAY_TMPDIR", folder)
        yield Path(folder)


@pytest.mark.slow
def test_a_pool_on_this_machine_listens_on_the_loopback_interface_alone_and_asks_for_a_token(temporary: Path) -> None:
    connect(1, None)
    try:
        worker = ray.remote(num_cpus=1)(_Worker).remote()
        pid, has_token = ray.get(worker.facts.remote())
        agent = http.client.HTTPConnection("127.0.0.1", ray._private.worker._global_node.runtime_env_agent_port)
        agent.request("POST", "/get_or_create_runtime_env", b"")
        answer_without_token = agent.getresponse().status
        addresses = listening(family(os.getpid()) | {pid})
        arguments = b"".join(
            Path(f"/proc/{one}/cmdline").read_bytes() for one in family(os.getpid()) if Path(f"/proc/{one}").exists()
        )
    finally:
        ray.shutdown()
    assert addresses
    assert addresses <= LOOPBACK
    assert has_token
    assert answer_without_token == HTTPStatus.UNAUTHORIZED
    assert os.environ["RAY_AUTH_TOKEN"].encode() not in arguments
    own = temporary / f"gaia-ray-{os.getuid()}"
    assert stat.S_IMODE(own.stat().st_mode) == 0o700
    assert list(own.glob("ray/session_*"))


class _Worker:
    def facts(self) -> tuple[int, bool]:
        return os.getpid(), bool(os.environ.get("RAY_AUTH_TOKEN")) and os.environ.get("RAY_AUTH_MODE") == "token"


def test_rays_folder_that_another_has_planted_is_refused(temporary: Path, tmp_path: Path) -> None:
    (temporary / f"gaia-ray-{os.getuid()}").symlink_to(tmp_path)
    with pytest.raises(UnsafeFolderError, match="is a link"):
        connect(1, None)
