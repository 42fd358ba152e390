"""Ray nodes that share nothing but the network: each has an address, a home, a temporary folder and a key."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

_RAY = str(Path(sys.executable).parent / "ray")

_ADDRESS = re.compile(r"ray start --address='([^']+)'")


@dataclass(kw_only=True)
class Host:
    """A machine of a made cluster: processes that bear its name, on a loopback address of its own."""

    name: str
    """Its name, and the access key with which its processes sign what they ask of the store."""
    ip: str
    """One of 127.0.0.0/8, which Linux has without any set-up."""
    folder: Path
    variables: dict[str, str] = field(default_factory=dict)
    """Further variables of its processes, such as the address of the store."""

    @property
    def environment(self) -> dict[str, str]:
        """The complete environment of its processes; of this one's nothing but the path of programs and the weights."""
        weights = os.environ.get("GAIA_CACHE") or platformdirs.user_cache_dir("gaia", appauthor=False)
        for name in ("home", "tmp"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        return {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "GAIA_CACHE": weights,
            "GAIA_MADE_HOST": str(self.folder),
            "AWS_ACCESS_KEY_ID": self.name,
            "AWS_SECRET_ACCESS_KEY": "made-up",
            "NO_COLOR": "1",
            **self.variables,
        }

    def start_ray(self, *arguments: str, cpus: int) -> str:
        """Start a node of Ray and return what it printed."""
        command = [_RAY, "start", *arguments, f"--node-ip-address={self.ip}", f"--num-cpus={cpus}"]
        command += ["--object-store-memory=100000000", "--disable-usage-stats"]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True).stdout

    def start_head(self) -> str:
        """Start the head of a cluster, which runs no workers; return its address."""
        folder = self.folder / "ray"
        printed = self.start_ray("--head", "--port=0", "--include-dashboard=false", f"--temp-dir={folder}", cpus=0)
        found = _ADDRESS.search(printed)
        assert found is not None, printed
        return found.group(1)

    def processes(self) -> list[int]:
        """Return the processes that bear the name of this host."""
        mark = f"GAIA_MADE_HOST={self.folder}".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                variables = path.read_bytes().split(b"\0")
            except OSError:
                continue
            if mark in variables:
                found.append(int(path.parent.name))
        return found

    def fail(self) -> None:
        """End all its processes at once, as a machine does that loses its power."""
        while pids := self.processes():
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue


@contextmanager
def hosts(folder: Path, names: dict[str, str], variables: dict[str, str]) -> Iterator[list[Host]]:
    """Yield hosts by name and address, and end what runs on them.

    Args:
        folder: a short path: Ray makes sockets below, whose names may have 107 characters.
        names: address of each.
        variables: of the processes of all.
    """
    made = [Host(name=name, ip=ip, folder=folder / name, variables=variables) for name, ip in names.items()]
    try:
        yield made
    finally:
        for host in made:
            host.fail()
