"""`gaia-curate forget --face`: a person is found by a photograph, shown, and removed only then."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from helpers.made_parts import table_of
from helpers.made_videos import SmallRun, TalkingFace
from PIL import Image
from typer.testing import CliRunner

from curation.cli.app import app
from curation.operations.find_person import FoundPerson, PersonVideo, _Limits, _person_in, find_person
from curation.operations.forget import forget
from curation.operations.seen_faces import SeenFaces, ShownClip
from curation.output.folder import DatasetFolder
from foundation.errors import UsageError
from manifests.errors import DatasetError
from manifests.files.descriptor_columns import holds_descriptors
from manifests.files.tables import read_table
from manifests.packing.drop_descriptors import drop_descriptors
from manifests.record import read_dataset
from manifests.removals import Removals
from manifests.reports.validate import validate

LIMITS = _Limits(sure=0.5, perhaps=0.6)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, talking_face: TalkingFace) -> Path:
    """Photographs: `one.png` of the person in the small run, `two.png` with the person twice, `none.png`."""
    folder = tmp_path_factory.mktemp("photos")
    picture = talking_face.pictures[100]
    for name, pixels in (
        ("one", picture),
        ("two", np.concatenate([picture, picture], axis=1)),
        ("none", np.full((320, 320, 3), 90, np.uint8)),
    ):
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def dataset(small_run: SmallRun, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_run.dataset, tmp_path / "dataset"))


def gaia(*arguments: str | Path) -> tuple[int, str]:
    told = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return told.exit_code, told.output


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_whom_a_photograph_shows_is_shown_first_and_removed_when_that_is_confirmed(
    dataset: Path, photos: Path, tmp_path: Path
) -> None:
    before, sheet = tree(dataset), tmp_path / "sheet.png"
    command = ("forget", dataset, "--face", photos / "one.png", "--sheet", sheet)
    code, said = gaia(*command)
    assert (code, tree(dataset)) == (2, before)
    assert "Found in 2 videos" in said
    assert "1, 3.4 s" in said
    assert "nothing was removed: look at the pictures" in said
    assert sheet.stat().st_mode & 0o777 == 0o600
    with Image.open(sheet) as drawn:
        assert drawn.size == (3 * 176, 210)  # the photograph and two clips
        pixels = np.asarray(drawn.convert("RGB")).astype(int)
    assert (pixels[176:].min(axis=2) < 128).any()  # captions
    photograph, clip = pixels[40:140, 40:140], pixels[40:140, 216:316]
    assert photograph.std() > 20
    assert clip.std() > 20
    code, said = gaia(*command, "--yes")
    assert code == 0, said
    assert "Removed 3 files and 2 clips, 6.8 s" in said  # the third is a copy
    assert [Path(row["path"]).name for row in read_table(dataset, "videos").to_pylist()] == ["c_broken.mp4"]
    assert not holds_descriptors(dataset)
    assert validate(dataset) == []


@pytest.mark.slow
def test_a_photograph_without_a_face_or_with_several_is_refused(dataset: Path, photos: Path) -> None:
    for name, said in (("none", "no face was found"), ("two", "2 faces were found")):
        with pytest.raises(UsageError, match=rf"{name}\.png: {said}; give a picture"):
            find_person(dataset, photos / f"{name}.png")
    with pytest.raises(UsageError, match=r"gone\.png: cannot be read"):
        find_person(dataset, photos / "gone.png")


@pytest.mark.slow
def test_someone_else_is_not_found_and_nothing_happens(dataset: Path, shared_dir: Path) -> None:
    before = tree(dataset)
    photo = shared_dir / "portraits" / "portrait_05.jpg"
    code, said = gaia("forget", dataset, "--face", photo, "--yes")
    assert (code, tree(dataset)) == (2, before)
    assert "nobody in the dataset is near enough" in said
    # who lies nearest is told where a larger distance is asked for
    found = find_person(dataset, photo, max_distance=2.0)
    assert [0.6 < video.distance < 1.5 for video in found.videos] == [True, True]


@pytest.mark.slow
def test_a_dataset_without_descriptors_knows_nobody_by_a_face(dataset: Path, photos: Path) -> None:
    drop_descriptors(dataset)
    with pytest.raises(DatasetError, match=r"holds no descriptors of faces.*--speaker, or the videos by --video"):
        find_person(dataset, photos / "one.png")


@pytest.mark.slow
def test_a_removal_that_was_stopped_is_completed_though_the_faces_are_gone(dataset: Path) -> None:
    talking = next(row["video_id"] for row in read_table(dataset, "videos").to_pylist() if "a_talking" in row["path"])
    folder = DatasetFolder.existing(dataset)
    folder.note_removals(Removals(salt="00" * 16).extended([talking], None), ())  # and then it was stopped
    assert forget(dataset).files == 2
    left = {Path(row["path"]).name for row in read_table(dataset, "videos").to_pylist()}
    assert left == {"b_mute.mp4", "c_broken.mp4"}
    assert read_dataset(dataset).removals is not None


def frames(main: Sequence[int], faces: dict[int, list[float]], others: Sequence[Sequence[int]]) -> pa.Table:
    """One row per tick: the track of the main face and those of the others; `faces` are the tracks' descriptors."""
    rows = [
        {
            "video_id": "0a00000000000001",
            "tick": tick,
            "time_s": tick / 25,
            "decoded": True,
            "n_faces": 1 + len(beside),
            "interpolated": False,
            "track_id": own,
            "descriptor": faces[own] if tick % 25 == 0 else None,
            "other_faces": [{"track_id": one, "descriptor": faces[one] if tick % 25 == 0 else None} for one in beside],
        }
        for tick, (own, beside) in enumerate(zip(main, others, strict=True))
    ]
    return table_of("frames", rows)


def test_of_two_people_in_a_video_the_clips_are_told_apart() -> None:
    anna, bert = [0.0, 1.0], [1.0, 0.0]  # 1.41 apart
    rows = frames([0] * 100 + [1] * 100, {0: anna, 1: bert}, [[1]] * 100 + [[]] * 100)
    seen = SeenFaces.of(rows)
    assert seen.descriptors.shape == (12, 2)
    assert sorted(seen.ticks[seen.tracks == 1].tolist()) == [0, 25, 50, 75, 100, 125, 150, 175]
    clips = [ShownClip("first", 0.0, 4.0), ShownClip("second", 4.0, 8.0)]
    found = _person_in(seen, np.array([0.3, 1.0], np.float32), LIMITS, clips)
    assert found is not None
    assert found["distance"] == pytest.approx(0.3)
    assert (found["clips"], found["kept_s"], found["other_clips"]) == (("first",), 4.0, 1)
    found = _person_in(seen, np.array([1.0, 0.0], np.float32), LIMITS, clips)
    assert found is not None
    assert (found["clips"], found["first_s"]) == (("second",), 0.0)  # seen beside the other from the start
    assert _person_in(seen, np.array([0.0, 0.0], np.float32), LIMITS, clips) is None


def test_who_is_seen_only_beside_another_is_found_without_a_clip() -> None:
    anna, bert = [0.0, 1.0], [1.0, 0.0]
    seen = SeenFaces.of(frames([0] * 100, {0: anna, 1: bert}, [[1]] * 100))
    found = _person_in(seen, np.array(bert, np.float32), LIMITS, [ShownClip("first", 0.0, 4.0)])
    assert found is not None
    assert (found["clips"], found["other_clips"], found["distance"]) == ((), 1, 0.0)


def test_the_list_says_what_is_removed_and_what_is_not(tmp_path: Path) -> None:
    def video(name: str, distance: float, *, clips: int, others: int, speaker: str | None) -> PersonVideo:
        return PersonVideo(
            video_id=name,
            path=f"/raw/{name}.mp4",
            speaker_id=speaker,
            distance=distance,
            first_s=61.0,
            clips=("clip",) * clips,
            kept_s=4.0 * clips,
            other_clips=others,
        )

    said = FoundPerson(
        dataset=tmp_path,
        photo=Path("photo.jpg"),
        face=np.zeros((9, 9, 3), np.uint8),
        max_distance=0.5,
        compared=7,
        videos=(
            video("aa", 0.31, clips=2, others=1, speaker="anna"),
            video("bb", 0.4, clips=0, others=0, speaker=None),
        ),
        perhaps=(video("cc", 0.55, clips=1, others=0, speaker="bert"),),
        perhaps_distance=0.6,
        unfinished=(),
    ).text()
    assert said.splitlines() == [
        "photo.jpg: one face, compared with those of 7 videos; 0.50 or less counts as the person.",
        "Found in 2 videos:",
        "distance  seen at  clips                        video_id  path",
        "--------  -------  ---------------------------  --------  -----------",
        "    0.31  1:01.00  2, 8.0 s; 1 of other people  aa        /raw/aa.mp4",
        "    0.40  1:01.00  none                         bb        /raw/bb.mp4",
        "Perhaps, and not removed; --max-distance 0.60 takes them too:",
        "distance  seen at  clips     video_id  path",
        "--------  -------  --------  --------  -----------",
        "    0.55  1:01.00  1, 4.0 s  cc        /raw/cc.mp4",
        "A video is removed whole, with the clips of other people in it.",
        "Speakers of these videos: anna. To keep later recordings out as well, give --speaker.",
    ]


@pytest.mark.slow
def test_a_removal_that_was_stopped_near_its_end_is_completed_by_the_same_command(
    dataset: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> object:
        raise OSError(5, "Input/output error", "made up")

    command = ("forget", dataset, "--face", photos / "one.png", "--yes")
    with monkeypatch.context() as patch:
        patch.setattr("curation.output.folder.totals_of", fail)  # the tables hold nothing of the person any more
        assert gaia(*command)[0] == 3
    code, said = gaia(*command)
    assert code == 0, said
    assert "Removal was begun before and is not complete." in said
    assert validate(dataset) == []
    assert not list(dataset.rglob("*.draft"))
    assert gaia(*command)[0] == 2
