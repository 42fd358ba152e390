"""Commands that change a dataset or read it with models: wherever they fail they end, and can be given again."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.made_videos import SmallRun, TalkingFace, counted_picture, frame_times, write_video
from helpers.raise_points import Ending, Walk, wrong
from PIL import Image

import curation.engine.worker
from curation.engine.execution import Executor
from curation.operations.run import run
from curation.settings import CurationSettings, load_settings

QUIET = load_settings(CurationSettings(), None, ["speech.encoder=none", "speech.denoiser=none"])

NO_SPEECH = "--set speech.encoder=none --set speech.denoiser=none"

AGAIN = {"forget": (0, 2)}
"""Exit codes of the same command afterwards, where not 0: there may be nothing left to do."""


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of a short video that a worker failed on, beside a folder `raw` of that video."""
    folder = tmp_path_factory.mktemp("failed")
    (folder / "raw").mkdir()
    write_video(folder / "raw" / "a.mp4", frame_times(Fraction(25), 3), [counted_picture(1)] * 3)

    def fail(*_: object) -> object:
        raise ValueError("made")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curation.engine.worker, "analyze_ranges", fail)
        run(str(folder / "raw"), folder / "dataset", QUIET, Executor())
    return folder / "dataset"


@pytest.fixture(scope="module")
def photo(talking_face: TalkingFace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of the person of the videos."""
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.fromarray(np.asarray(talking_face.pictures[0])).save(path)
    return path


@pytest.mark.parametrize("every", [400])
@pytest.mark.parametrize(
    "command",
    [
        "identities FRESH/dataset",
        *(
            pytest.param(command, marks=pytest.mark.slow)
            for command in (
                f"plan --source RAW --out FRESH/new --preset embedded --executor inline {NO_SPEECH}",
                "duplicates FRESH/dataset",
                "forget FRESH/dataset --face PHOTO --yes",
            )
        ),
    ],
)
def test_a_command_ends_wherever_it_fails_and_can_be_given_again(
    command: str,
    every: int,
    walk_once: Callable[[Walk], list[Ending]],
    small_run: SmallRun,
    failed: Path,
    photo: Path,
) -> None:
    name, *words = command.replace("RAW", str(failed.parent / "raw")).replace("PHOTO", str(photo)).split()
    endings = walk_once(
        Walk(
            program="curation.cli.app:main",
            arguments=(name, *words),
            copies=(str(small_run.dataset),),
            every=every,
            again=True,
        )
    )
    assert len(endings) > 200 / every - 1
    assert wrong(endings, "gaia-curate", again=AGAIN.get(name, (0,))) == []
    for ending in endings:  # what a command writes in one piece is whole, or not there
        assert ending.code == 0 or not {"found_person.png"} & set(ending.wrote), ending


@pytest.mark.slow
@pytest.mark.parametrize("every", [400])
def test_a_retry_ends_wherever_it_fails_or_records_what_became_of_the_video(
    every: int, walk_once: Callable[[Walk], list[Ending]], failed: Path
) -> None:
    words = ("retry", "FRESH/dataset", "--failed", "--executor", "inline")
    endings = walk_once(
        Walk(program="curation.cli.app:main", arguments=words, copies=(str(failed),), every=every, again=True)
    )
    assert len(endings) > 200 / every - 1
    # 1: the fault was in the work on the video, whose row and the log say so, and it is tried again
    of_video = [one for one in endings if one.code == 1]
    assert [one for one in of_video if "curating it failed" not in one.said] == []
    assert [one for one in of_video if one.again != 0 or one.left or one.stay or "Traceback" in one.said_again] == []
    assert wrong([one for one in endings if one.code != 1], "gaia-curate", again=(0, 2)) == []


@pytest.mark.slow
@pytest.mark.parametrize("every", [150])
def test_a_fit_of_lips_and_sound_ends_wherever_it_fails_and_its_file_is_whole(
    every: int, walk_once: Callable[[Walk], list[Ending]], small_run: SmallRun
) -> None:
    words = ("sync", "fit", str(small_run.dataset), "--out", "FRESH/sync.safetensors")
    endings = walk_once(Walk(program="helpers.walked_commands:teach", arguments=words, every=every, again=True))
    assert len(endings) > 200 / every - 1
    # 2: no video was left to learn from, for the fault was in the reading of the only one
    assert wrong(endings, "gaia-curate", again=(0,)) == []
    assert [one for one in endings if one.code != 0 and "sync.safetensors" in one.wrote] == []
