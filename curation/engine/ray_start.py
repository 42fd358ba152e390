"""Start of Ray on this machine, open to nobody else, or access to a running cluster.

Who can send Ray a task runs code as the user who started it. So a pool on this machine listens on the loopback
interface alone, asks for a token that only its own processes know, and keeps its files in a folder of the user's own.
Of a cluster that somebody else started, all this is that person's choice.
"""

import importlib.util
import os
import secrets
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from foundation.errors import CannotStartError
from foundation.signals import Terminated
from foundation.storage.private_folder import private_folder, temporary_folder_of

__all__ = ["RayUnavailableError", "connect", "sigterm_of_this_program"]

_START_ATTEMPTS = 3
"""Attempts to start Ray on this machine."""

_LONGEST_FOLDER = 36
"""Longest name of the folder of Ray's files, characters: it makes sockets below, whose names may have 107."""

_TOKEN_VARIABLES = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")


class RayUnavailableError(CannotStartError):
    """No Ray cluster could be started or joined, or no worker can be started on it."""

    several_lines = True


def connect(workers: int, address: str | None, *, otherwise: str = "--executor inline") -> None:
    """Join a cluster, or start one on this machine: again where Ray took too long, as it does on a busy machine.

    Args:
        workers: number of CPUs that a cluster on this machine offers.
        address: of a running cluster; None: start one.
        otherwise: option of the command that does without Ray.

    Raises:
        RayUnavailableError: neither was possible.
        UnsafeFolderError: the folder for Ray's files is not the user's own.
    """
    with sigterm_of_this_program():
        _connect(workers, address, otherwise)


def _connect(workers: int, address: str | None, otherwise: str) -> None:
    import ray

    if address is not None:
        try:
            # a run shows its own progress: no relay of logs
            ray.init(address=address, log_to_driver=False, runtime_env={"py_modules": _own_packages()})
        except Exception as error:
            ray.shutdown()
            raise RayUnavailableError(f"cannot join the Ray cluster at {address}: {error}; try {otherwise}") from error
        return
    folder = _own_folder()
    _require_token()
    for attempts_left in reversed(range(_START_ATTEMPTS)):
        try:
            with _loopback_only():
                ray.init(
                    address=None,
                    num_cpus=workers,
                    include_dashboard=False,
                    log_to_driver=False,
                    _temp_dir=str(folder),
                )
        except Exception as error:
            # Ray raises the bare class where its processes are not up in 30 s, which no setting changes.
            ray.shutdown()
            if attempts_left:
                continue
            raise RayUnavailableError(f"cannot start Ray on this machine: {error}; try {otherwise}") from error
        return


@contextmanager
def sigterm_of_this_program() -> Iterator[None]:
    """Keep the handling of SIGTERM, which Ray replaces when it starts and when it ends, so that no word would be said.

    Raises:
        Terminated: SIGTERM arrived while Ray started.
    """
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    except SystemExit as ended:
        raise Terminated from ended
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _own_folder() -> Path:
    """Return a folder for Ray's files in one that only this user can enter, for Ray opens its own folder to everybody.

    Raises:
        UnsafeFolderError: another user has made a folder or a link of that name.
    """
    usual = temporary_folder_of("ray")
    chosen = os.environ.get("RAY_TMPDIR")
    folder = Path(chosen).absolute() / usual.name if chosen else usual
    if len(str(folder)) > _LONGEST_FOLDER:
        folder = Path("/tmp", usual.name)  # noqa: S108 - made and checked as any other
    return private_folder(folder) / "ray"


def _require_token() -> None:
    """Choose the token of this process's pools, unless the user's environment says something of Ray's tokens.

    Ray would keep one in the user's home, in a file that others can read. It reads the variable once in a process, so
    that it stays as it is.
    """
    if not any(name in os.environ for name in _TOKEN_VARIABLES):
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


@contextmanager
def _loopback_only() -> Iterator[None]:
    """Let Ray take the loopback interface for the address of this machine while the block runs.

    Its processes then listen there alone. No public argument says so: `_node_ip_address="127.0.0.1"` is replaced by
    the address of the network interface. This is the switch by which Ray itself avoids that on other systems.
    """
    from ray._private import ray_constants

    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


def _own_packages() -> list[str]:
    """Return the folders of the packages that a worker imports, for nodes without an installed copy."""
    found = [importlib.util.find_spec(name) for name in ("curation", "foundation", "manifests")]
    return [str(Path(spec.origin).parent) for spec in found if spec is not None and spec.origin is not None]
