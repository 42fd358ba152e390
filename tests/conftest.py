import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock
from helpers.file_order import longest_first
from helpers.made_videos import TalkingFace, talking_face
from helpers.raise_points import Ending, Walk, Walker

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_configure(config: pytest.Config) -> None:
    """Keep pytest-xdist, where it is in use, from ordering files by their numbers of tests."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let several test processes begin with the files that take longest."""
    if hasattr(config, "workerinput"):
        items[:] = longest_first(items)


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Folder of real clips and weights that is no part of the project: `GAIA_SHARED`, or `shared` beside the checkout.

    Without it a developer's test is skipped; in CI, where it always is, its absence is a failure.
    """
    folder = Path(os.environ.get("GAIA_SHARED") or REPOSITORY.parent / "shared").resolve()
    if not (folder / "clips").is_dir():
        reason = f"{folder} holds no folder 'clips' of real videos; name it in GAIA_SHARED"
        if os.environ.get("CI"):
            pytest.fail(f"{reason} (CI never skips this test)")
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def shared_clips(shared_dir: Path) -> Path:
    """Folder of the real clips."""
    return shared_dir / "clips"


@pytest.fixture(scope="session", name="talking_face")
def _talking_face() -> TalkingFace:
    """Pictures and voice of 8 good seconds of the sample video, from which tests make videos of every kind."""
    return talking_face(REPOSITORY / "samples" / "talking_astronaut.mp4")


@pytest.fixture(scope="session")
def command_environment() -> dict[str, str]:
    """Environment for a child process in which the commands of this installation are found first."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"}


@pytest.fixture(scope="session")
def curated_sample(
    tmp_path_factory: pytest.TempPathFactory, worker_id: str, command_environment: dict[str, str]
) -> Path:
    """The dataset that `gaia-curate run` makes of samples/ with the embedded preset; read it, never write to it.

    It is made once, whatever number of test processes asks for it.
    """
    base = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        base = base.parent
    dataset = base / "curated_sample"
    with FileLock(base / "curated_sample.lock"):
        if not (dataset / "dataset.json").exists():
            arguments = ["run", "--source", str(REPOSITORY / "samples"), "--out", str(dataset), "--preset", "embedded"]
            done = subprocess.run(
                ["gaia-curate", *arguments], env=command_environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"gaia-curate {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return dataset


@pytest.fixture(scope="session")
def _walker() -> Iterator[Walker]:
    """Walks commands for all tests of this process."""
    walker = Walker()
    yield walker
    walker.end()


@pytest.fixture(scope="session")
def _walks() -> dict[str, list[Ending]]:
    """Endings by test and parameters."""
    return {}


@pytest.fixture
def walk_once(
    _walks: dict[str, list[Ending]], _walker: Walker, request: pytest.FixtureRequest, tmp_path: Path
) -> Callable[[Walk], list[Ending]]:
    """Walk as finely as any chosen test with the same parameters asks for; coarser ones take the same endings.

    With GAIA_WALK_EVERY=1 they fail at every point.
    """
    node = request.node
    own = [item for item in request.session.items if isinstance(item, pytest.Function)]
    same = [item.callspec.params for item in own if (item.path, item.originalname) == (node.path, node.originalname)]
    others = {name: value for name, value in node.callspec.params.items() if name != "every"}
    finest = min(params["every"] for params in same if params == {**others, "every": params["every"]})
    key = f"{node.path} {node.originalname} {others}"

    def made(walk: Walk) -> list[Ending]:
        if key not in _walks:
            every = int(os.environ.get("GAIA_WALK_EVERY", finest))
            _walks[key] = _walker.walked(replace(walk, every=every, folder=str(tmp_path)))
        return _walks[key]

    return made
