from dataclasses import replace
from pathlib import Path

import pytest

from generation.batch.job_list import JobListError, ListedJob, TextOptions
from generation.batch.job_list import read_jobs as read_any_jobs
from generation.pose_track import PoseChoice
from generation.request import GenerationJob, MotionOptions

MOTION = MotionOptions(steps=3)

TEXT = TextOptions(encoder="clip", seconds=2.0, guidance=2.5)


def read_jobs(path: Path, common: GenerationJob) -> tuple[ListedJob, ...]:
    return read_any_jobs(path, common, TEXT)


@pytest.fixture
def common(tmp_path: Path) -> GenerationJob:
    for name in ("a.png", "b.png", "hello.wav", "other.mp4", "poses.csv"):
        (tmp_path / name).write_bytes(b"")
    return GenerationJob(run=tmp_path, portrait=tmp_path, out=Path("any.mp4"), speech=tmp_path, motion=MOTION, seed=7)


def _list(folder: Path, *lines: str) -> Path:
    path = folder / "jobs.csv"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8-sig")
    return path


def test_a_row_is_a_job_whose_files_lie_beside_the_list(common: GenerationJob, tmp_path: Path) -> None:
    path = _list(
        tmp_path,
        "out,seed,portrait,speech,driving,pose",
        "made/1.mp4,3,a.png,hello.wav,,",
        "",
        'made/2.mp4,,a.png,hello.wav,,"yaw=0,pitch=5"',
        "made/3.mp4,,b.png,hello.wav,,poses.csv",
        "made/4.mp4,,b.png,,other.mp4,",
    )
    first, second, third, fourth = read_jobs(path, common)
    assert [one.line for one in (first, second, third, fourth)] == [2, 4, 5, 6]
    spoken = replace(common, portrait=tmp_path / "a.png", speech=tmp_path / "hello.wav")
    assert first.job == replace(spoken, out=tmp_path / "made" / "1.mp4", seed=3)
    assert second.job == replace(spoken, out=tmp_path / "made" / "2.mp4", pose=PoseChoice(source="yaw=0,pitch=5"))
    assert third.job.pose == PoseChoice(source=str(tmp_path / "poses.csv"))
    assert third.job.seed == 7
    # nothing of a driving video is sampled
    assert (fourth.job.driving, fourth.job.speech, fourth.job.motion) == (tmp_path / "other.mp4", None, MotionOptions())


def test_a_row_with_a_text_has_the_options_of_text_and_no_head_poses(common: GenerationJob, tmp_path: Path) -> None:
    path = _list(tmp_path, "portrait,text,seed,out", "a.png,please  smile,5,1.mp4", "a.png,look up,,2.mp4")
    smile, up = read_jobs(path, replace(common, pose=PoseChoice(source="still")))
    assert (smile.job.text, smile.job.speech, smile.job.text_encoder, smile.job.seconds) == (
        "please smile", None, "clip", 2.0,
    )  # fmt: skip
    assert (smile.job.motion, smile.job.pose) == (replace(MOTION, guidance=2.5), PoseChoice())
    assert (smile.job.seed, up.job.seed) == (5, 7)


def test_amplitude_and_offset_of_all_jobs_are_of_those_that_ask_for_poses(
    common: GenerationJob, tmp_path: Path
) -> None:
    path = _list(tmp_path, "portrait,speech,pose,out", "a.png,hello.wav,predict,1.mp4", "a.png,hello.wav,,2.mp4")
    changed = PoseChoice(source="still", amplitude=0.5, offset="yaw=3")
    first, second = read_jobs(path, replace(common, pose=changed))
    assert (first.job.pose, second.job.pose) == (PoseChoice(), changed)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "1: there is no column 'portrait'"),
        (["portrait,text,speech,out", "a.png,smile,hello.wav,1.mp4"], "2: it has both text and speech"),
        (["portrait,out,sped"], "1: column 'sped' is unknown; give portrait, speech"),
        (["portrait,out,out"], "1: there are 2 columns 'out'"),
        (["portrait,speech"], "1: there is no column 'out'"),
        (["portrait,speech,out"], "lists no job"),
        (["portrait,speech,out", "a.png,hello.wav"], "2: has 2 cells, but there are 3 columns"),
        (["portrait,speech,out", "a.png,none.wav,1.mp4"], "none.wav does not exist"),
        (["portrait,speech,out", "a.png,,1.mp4"], "2: neither --speech nor --driving"),
        (["portrait,speech,out", ",hello.wav,1.mp4"], "2: the column 'portrait' is empty"),
        (["portrait,speech,out", "a.png,hello.wav,1.avi"], "ends in .mp4"),
        (["portrait,speech,driving,out", "a.png,hello.wav,other.mp4,1.mp4"], "2: it has both driving and speech"),
        (["portrait,driving,pose,out", "a.png,other.mp4,still,1.mp4"], "2: it has both driving and pose"),
        (["portrait,driving,seed,out", "a.png,other.mp4,4,1.mp4"], "2: it has both driving and seed"),
        (["portrait,speech,seed,out", "a.png,hello.wav,-1,1.mp4"], "2: seed is '-1'"),
        (["portrait,speech,pose,out", "a.png,hello.wav,jaw=3,1.mp4"], '2: pose "jaw=3"'),
        (["portrait,speech,pose,out", "a.png,hello.wav,none.csv,1.mp4"], "none.csv does not exist"),
        (["portrait,speech,out", "a.png,hello.wav,1.mp4", "b.png,hello.wav,./1.mp4"], "is that of line 2 too"),
        (
            ["portrait,speech,driving,out", "a.png,hello.wav,,other.mp4", "b.png,,other.mp4,1.mp4"],
            "3: driving .*other.mp4 is what line 2 makes",
        ),
    ],
)
def test_a_list_that_cannot_be_made_is_refused_with_its_line(
    lines: list[str], message: str, common: GenerationJob, tmp_path: Path
) -> None:
    with pytest.raises(JobListError, match=message):
        read_jobs(_list(tmp_path, *lines), common)


def test_all_problems_are_told_at_once(common: GenerationJob, tmp_path: Path) -> None:
    rows = [f"none{number}.png,hello.wav,{number}.mp4" for number in range(30)]
    with pytest.raises(JobListError) as raised:
        read_jobs(_list(tmp_path, "portrait,speech,out", *rows), common)
    told = str(raised.value).splitlines()
    assert len(told) == 1 + 20 + 1
    assert told[1].startswith(f"{tmp_path / 'jobs.csv'}:2: portrait ")
    assert told[-1] == "and 10 more"
