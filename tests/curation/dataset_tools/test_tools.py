"""Datasets made of datasets: valid, with their history, and without whoever was removed from one of them."""

import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import Mock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.made_videos import SmallRun
from helpers.other_command import held_elsewhere
from typer.testing import CliRunner

from curation.cli.app import app
from curation.dataset_tools import export as export_module
from curation.dataset_tools.divide import divide
from curation.dataset_tools.export import ExportFormat, export
from curation.dataset_tools.merge import merge
from curation.dataset_tools.subset import subset
from curation.engine.execution import Executor
from curation.operations.decide import redecide
from curation.operations.forget import forget
from curation.operations.run import run
from curation.output.folder import DatasetFolderError
from curation.settings import CurationSettings
from foundation.errors import EXIT_CANNOT_START, EXIT_USAGE, UsageError
from foundation.storage.leases import LeaseHeldError, held
from manifests.errors import DatasetError
from manifests.files.tables import read_table
from manifests.record import read_dataset
from manifests.reports.queries import QueryError
from manifests.reports.validate import validate

Reader = Callable[[str], ModuleType]


def rows_of(dataset: Path, table: str) -> list[dict[str, Any]]:
    return list(read_table(dataset, table).to_pylist())


def names(dataset: Path) -> list[str]:
    return [Path(row["path"]).name for row in rows_of(dataset, "videos")]


@pytest.fixture
def halves(labelled: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The talking video in one dataset, the mute one in another."""
    halves = tmp_path / "talking", tmp_path / "mute"
    subset(labelled, "flac_size IS NOT NULL", halves[0])
    subset(labelled, "flac_size IS NULL", halves[1])
    return halves


def test_a_subset_has_the_chosen_clips_alone_and_is_valid(labelled: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in labelled.rglob("*")}
    arguments = ["subset", str(labelled), "--where", "gender = 'Female'", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "1 of 2 clips, 3 s, of 1 video\n" in done.output
    assert {path: path.stat().st_mtime_ns for path in labelled.rglob("*")} == before, "the origin is not touched"
    out = tmp_path / "out"
    assert validate(out) == []
    assert names(out) == ["a_talking.mp4", "d_again.mp4"]
    (clip,) = rows_of(out, "clips")
    (of_origin,) = [row for row in rows_of(labelled, "clips") if row["gender"] == "Female"]
    places = ("media", "mp4_offset", "flac_offset")
    assert {k: v for k, v in clip.items() if k not in places} == {k: v for k, v in of_origin.items() if k not in places}
    (step,) = read_dataset(out).history
    assert (step.command, step.where, len(step.origins)) == ("subset", "gender = 'Female'", 1)
    again = CliRunner().invoke(app, arguments)
    assert again.exit_code == 0, "the same command may be given again"


@pytest.mark.slow
def test_clips_that_a_subset_does_not_choose_become_seconds_that_nobody_asked_for(
    small_run: SmallRun, tmp_path: Path
) -> None:
    redecide(
        small_run.dataset,
        tmp_path / "two",
        None,
        ["rules.too_short.min_s=1", "rules.too_short.max_clip_s=2"],
        render=True,
    )
    clips = rows_of(tmp_path / "two", "clips")
    assert len(clips) > 2, "each video has several clips"
    video = clips[0]["video_id"]
    chosen = clips[0]["clip_id"]
    subset(tmp_path / "two", f"clip_id = '{chosen}'", tmp_path / "one")
    assert validate(tmp_path / "one") == []
    spans = rows_of(tmp_path / "one", "spans")
    assert {span["video_id"] for span in spans} == {video}
    assert {span["outcome"] for span in spans} >= {"kept", "not_asked"}
    assert {span["clip_id"] for span in spans if span["clip_id"]} == {chosen}


@pytest.mark.parametrize(
    ("where", "error", "said"),
    [
        ("tier = 'none'", UsageError, "none of 2 clips of .* fulfils \"tier = 'none'\"; nothing was written"),
        ("height > 3", QueryError, "height"),
        ("true); SELECT 'x' AS clip_id WHERE (true", UsageError, "fulfils"),
    ],
)
def test_a_condition_that_chooses_nothing_is_told(
    labelled: Path, tmp_path: Path, where: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        subset(labelled, where, tmp_path / "out")
    assert not (tmp_path / "out" / "dataset.json").exists()


def test_two_halves_merge_into_the_whole(labelled: Path, halves: tuple[Path, Path], tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["merge", *map(str, halves), "--out", str(tmp_path / "both")])
    assert done.exit_code == 0, done.output
    assert "1 curated video of the first dataset, 1 of the second" in done.output
    both = tmp_path / "both"
    assert validate(both) == []
    assert names(both) == ["a_talking.mp4", "b_mute.mp4", "d_again.mp4"]
    places = ("media", "mp4_offset", "flac_offset", "split")
    for table in ("clips", "spans", "frames"):
        ours, theirs = (
            [{k: v for k, v in row.items() if k not in places} for row in rows_of(one, table)]
            for one in (both, labelled)
        )
        assert sorted(map(str, ours)) == sorted(map(str, theirs)), table  # as text, for which NaN is NaN
    assert [step.command for step in read_dataset(both).history] == ["subset", "subset", "merge"]
    overlap = merge(labelled, both, tmp_path / "overlap")
    assert (overlap.videos, overlap.in_both) == ((2, 0), 3 - 1)
    assert validate(tmp_path / "overlap") == []
    assert names(tmp_path / "overlap") == names(labelled)


@pytest.mark.slow
def test_who_was_removed_from_one_dataset_is_removed_from_the_merged_one_and_stays_so(
    small_run: SmallRun, labelled: Path, halves: tuple[Path, Path], tmp_path: Path
) -> None:
    other = Path(shutil.copytree(labelled, tmp_path / "other"))
    forget(other, videos=["a_talking.mp4"])
    forget(halves[0], videos=[rows_of(halves[0], "videos")[0]["video_id"]])
    with pytest.raises(DatasetError, match="has no speaker"):
        forget(halves[0], speaker="nobody")
    merged = merge(labelled, other, tmp_path / "merged")
    assert merged.removed == 1
    assert names(tmp_path / "merged") == ["b_mute.mp4", "c_broken.mp4"]
    assert validate(tmp_path / "merged") == []
    talking = rows_of(labelled, "videos")[0]["video_id"]
    held = b"".join(path.read_bytes() for path in (tmp_path / "merged").rglob("*") if path.is_file())
    assert talking.encode() not in held
    report = run(small_run.source, tmp_path / "merged", CurationSettings(), Executor())
    assert report.curated == ()
    assert names(tmp_path / "merged") == ["b_mute.mp4", "c_broken.mp4"]
    again = merge(tmp_path / "merged", halves[0], tmp_path / "twice")
    removals = again.dataset.record.removals
    assert removals is not None
    assert removals.has_video(talking)
    assert len(removals.also) == 1, "two salts"


def test_a_condition_that_names_somebody_is_blanked_when_that_one_is_removed(labelled: Path, tmp_path: Path) -> None:
    subset(labelled, "path NOT LIKE '%nothing%'", tmp_path / "kept")
    video = rows_of(labelled, "videos")[0]["video_id"]
    subset(labelled, f"video_id <> 'x' OR video_id = '{video}'", tmp_path / "named")
    for folder in ("kept", "named"):
        forget(tmp_path / folder, videos=[video])
    assert read_dataset(tmp_path / "kept").history[0].where == "path NOT LIKE '%nothing%'"
    assert read_dataset(tmp_path / "named").history[0].where is None


def test_datasets_that_were_made_differently_are_not_merged(labelled: Path, tmp_path: Path) -> None:
    redecide(labelled, tmp_path / "strict", None, ["rules.frontal.strict_deg=3"])
    with pytest.raises(DatasetFolderError, match=r"made with other settings .*rules\.frontal\.strict_deg"):
        merge(labelled, tmp_path / "strict", tmp_path / "out")
    with pytest.raises(DatasetFolderError, match="two are the same"):
        merge(labelled, labelled, tmp_path / "out")
    with pytest.raises(DatasetFolderError, match="is another dataset; give a new folder"):
        subset(labelled, "true", tmp_path / "strict")
    with pytest.raises(DatasetError, match="is no dataset"):
        merge(labelled, tmp_path / "nothing", tmp_path / "out")


def test_a_split_anew_forgets_the_earlier_one_and_keeps_people_together(copy: Path) -> None:
    assert {clip["split"] for clip in rows_of(copy, "clips")} == {"train"}
    arguments = ["split", str(copy), "--by", "speaker", "--val-share", "0.5", "--test-share", "0"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert sorted(clip["split"] for clip in rows_of(copy, "clips")) == ["train", "val"]
    assert validate(copy) == []
    record = read_dataset(copy)
    assert [step.command for step in record.history] == ["split"]
    assert record.config["split"] == {"val_share": 0.5, "test_share": 0.0}
    divide(copy, {"val_share": 0.0})
    assert {clip["split"] for clip in rows_of(copy, "clips")} == {"train"}


def test_an_export_to_webdataset_is_read_back_by_it(labelled: Path, reader: Reader, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["export", str(labelled), "--to", "webdataset", "--out", str(tmp_path / "wds")])
    assert done.exit_code == 0, done.output
    tars = sorted(path.name for path in (tmp_path / "wds").glob("*.tar"))
    assert tars == ["train-diffusion-00000.tar", "train-vae-mute-00000.tar"]
    clips = {clip["clip_id"]: clip for clip in rows_of(labelled, "clips")}
    webdataset = reader("webdataset")
    for name in tars:
        for sample in webdataset.WebDataset(str(tmp_path / "wds" / name), shardshuffle=False):
            clip = clips.pop(sample["__key__"])
            points = np.load(io.BytesIO(sample["landmarks.npy"]))
            assert np.array_equal(points, np.array(clip["landmarks"], np.float32))
            assert json.loads(sample["json"])["gender"] == clip["gender"]
            assert len(sample["mp4"]) == clip["mp4_size"]
    assert clips == {}
    with pytest.raises(DatasetFolderError, match="holds files"):
        export(labelled, "webdataset", tmp_path / "wds")
    export(labelled, "webdataset", tmp_path / "small", shard_gib=1e-5)
    assert len(list((tmp_path / "small").glob("*.tar"))) == 2


def put(dataset: Path, **columns: object) -> None:
    """Write a value into every row of some columns of the table `clips`."""
    for path in (dataset / "clips").glob("*.parquet"):
        rows = pq.read_table(path)
        for name, value in columns.items():
            number = rows.schema.get_field_index(name)
            field = rows.schema.field(number)
            rows = rows.set_column(number, field, pa.array([value] * len(rows), field.type))
        pq.write_table(rows, path, row_group_size=1)


def test_an_export_to_webdataset_has_the_words_of_transcripts(copy: Path, reader: Reader, tmp_path: Path) -> None:
    words = [{"word": "Hi.", "start_s": 0.25, "end_s": 0.5, "confidence": 0.75}]
    put(copy, transcript="Hi.", words=words)
    export(copy, "webdataset", tmp_path / "wds")
    tar = str(tmp_path / "wds" / "train-diffusion-00000.tar")
    (sample,) = reader("webdataset").WebDataset(tar, shardshuffle=False)
    assert json.loads(sample["json"])["words"] == words
    assert "words.npy" not in sample


@pytest.mark.parametrize(("column", "value"), [("split", "../../outside"), ("tier", "../x"), ("clip_id", "../../x")])
def test_what_a_stranger_states_names_no_file_outside_of_an_export(
    copy: Path, tmp_path: Path, column: str, value: str
) -> None:
    put(copy, **{column: value})
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(DatasetError, match=column):
        export(copy, "webdataset", tmp_path / "new" / "wds")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "new") == before
    assert list((tmp_path / "new").rglob("*.tar")) == []


@pytest.mark.slow
def test_an_export_to_hugging_face_has_its_splits_and_media(
    copy: Path, reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = reader("datasets")
    divide(copy, {"val_share": 0.5, "test_share": 0.0})
    export(copy, "hf", tmp_path / "hf")
    found = datasets.load_dataset(str(tmp_path / "hf"), cache_dir=str(tmp_path / "cache"))
    assert sorted(found) == ["train", "val"]
    clips = {clip["clip_id"]: clip for clip in rows_of(copy, "clips")}
    for split, rows in found.items():
        plain = rows.cast_column("video", datasets.Video(decode=False)).cast_column(
            "audio", datasets.Audio(decode=False)
        )
        for row in plain:
            clip = clips.pop(row["clip_id"])
            assert clip["split"] == split
            assert len(row["video"]["bytes"]) == clip["mp4_size"]
            assert (row["audio"] is None) == (clip["flac_size"] is None)
    assert clips == {}


def test_an_export_to_lance_is_read_back_by_it(labelled: Path, reader: Reader, tmp_path: Path) -> None:
    lance = reader("lance")
    export(labelled, "lance", tmp_path / "out")
    rows = lance.dataset(str(tmp_path / "out" / "clips.lance")).to_table().to_pylist()
    clips = {clip["clip_id"]: clip for clip in rows_of(labelled, "clips")}
    assert sorted(row["clip_id"] for row in rows) == sorted(clips)
    for row in rows:
        clip = clips[row["clip_id"]]
        assert (row["landmarks"], len(row["mp4"])) == (clip["landmarks"], clip["mp4_size"])
    assert not pq.read_table(labelled / "videos")["gender"].combine_chunks().is_null().to_pylist()[0]


def test_a_dataset_without_clips_is_not_exported(labelled: Path, tmp_path: Path) -> None:
    redecide(labelled, tmp_path / "none", None, ["rules.frontal.strict_deg=9"])
    with pytest.raises(DatasetFolderError, match="has no clips; there is nothing to export"):
        export(tmp_path / "none", "hf", tmp_path / "out")


@pytest.mark.parametrize("to", ["webdataset", "hf", "lance"])
def test_an_export_that_is_stopped_leaves_an_empty_folder_and_the_same_command_works(
    labelled: Path, tmp_path: Path, to: ExportFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    if to == "lance":
        pytest.importorskip("lance")
    out = tmp_path / "out"
    out.mkdir()
    with monkeypatch.context() as patched:
        patched.setattr(export_module, "write_json_atomic", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            export(labelled, to, out)
    assert list(out.iterdir()) == []
    assert export(labelled, to, out).clips == 2
    (out / "origin.json").unlink()
    with pytest.raises(DatasetFolderError, match=r"without origin\.json, an export in it is not complete"):
        export(labelled, to, out)


def test_of_two_exports_into_one_folder_one_is_refused(labelled: Path, tmp_path: Path) -> None:
    with held(tmp_path / "out", "gaia-curate export"), pytest.raises(LeaseHeldError, match="is being written by"):
        export(labelled, "webdataset", tmp_path / "out")
    (tmp_path / "file").touch()
    with pytest.raises(DatasetFolderError, match="is a file; give a new folder"):
        export(labelled, "webdataset", tmp_path / "file")


def test_an_empty_condition_is_refused_in_words(labelled: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--where is empty; give a condition"):
        subset(labelled, " ", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def content(dataset: Path) -> dict[str, bytes]:
    return {str(path.relative_to(dataset)): path.read_bytes() for path in dataset.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "command",
    [
        ["decide", "DATASET", "--out", "DATASET/new"],
        ["subset", "DATASET", "--where", "true", "--out", "DATASET/clips/new"],
        ["export", "DATASET", "--to", "hf", "--out", "DATASET/new"],
        ["merge", "OTHER", "DATASET", "--out", "DATASET/new"],
        ["subset", "DATASET", "--where", "true", "--out", "DATASET"],
    ],
    ids=["decide", "subset", "export", "merge", "the same"],
)
def test_nothing_is_written_into_the_dataset_that_is_read(copy: Path, tmp_path: Path, command: list[str]) -> None:
    shutil.copytree(copy, tmp_path / "other")
    before = content(copy)
    places = {"DATASET": str(copy), "OTHER": str(tmp_path / "other")}
    given = [re.sub("DATASET|OTHER", lambda found: places[found[0]], word) for word in command]
    told = CliRunner().invoke(app, given)
    assert told.exit_code == EXIT_USAGE
    assert "lies inside the dataset" in told.stderr or "is the dataset itself" in told.stderr, told.output
    assert content(copy) == before


@pytest.mark.parametrize("command", [["subset", "DATASET", "--where", "true"], ["merge", "OTHER", "DATASET"]])
def test_a_folder_that_is_a_link_to_itself_is_refused_in_words(copy: Path, tmp_path: Path, command: list[str]) -> None:
    shutil.copytree(copy, tmp_path / "other")
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    places = {"DATASET": str(copy), "OTHER": str(tmp_path / "other")}
    told = CliRunner().invoke(app, [*(places.get(word, word) for word in command), "--out", str(loop)])
    assert told.exit_code == EXIT_CANNOT_START
    assert str(loop) in told.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["subset", "DATASET", "--where", "true", "--out", "NEW"],
        ["export", "DATASET", "--to", "webdataset", "--out", "NEW"],
        ["merge", "DATASET", "DATASET/../other", "--out", "NEW"],
        ["split", "DATASET"],
        ["card", "DATASET"],
    ],
    ids=lambda command: command[0],
)
def test_a_tool_is_refused_while_another_command_writes_to_its_dataset(
    copy: Path, tmp_path: Path, command: list[str]
) -> None:
    shutil.copytree(copy, tmp_path / "other")
    places = {"DATASET": str(copy), "NEW": str(tmp_path / "new")}
    with held_elsewhere(copy, "gaia-curate run"):
        before = content(copy)
        told = CliRunner().invoke(
            app, [re.sub("DATASET|NEW", lambda found: places[found[0]], word) for word in command]
        )
        assert told.exit_code == EXIT_CANNOT_START, told.output
        assert "`gaia-curate run` on host" in told.stderr
        assert content(copy) == before
    assert not list((tmp_path / "new").glob("*"))


@pytest.mark.parametrize(
    "command",
    [
        ["what-if", "DATASET", "--vary", "rules.too_short.min_s=3,4", "--workers", "1", "--no-cache"],
        ["diff", "DATASET", "--set", "rules.too_short.min_s=4"],
    ],
    ids=lambda command: command[0],
)
def test_readers_print_the_last_state_while_another_command_writes(copy: Path, command: list[str]) -> None:
    given = [word.replace("DATASET", str(copy)) for word in command]
    alone = CliRunner().invoke(app, given)
    with held_elsewhere(copy, "gaia-curate run"):
        for table in ("frames", "spans"):  # rows of a video that no run has ended with
            source = next((copy / table).glob("*.parquet"))
            rows = pq.read_table(source)
            ids = pa.array(["f" * 16] * len(rows), pa.string())
            begun = rows.set_column(rows.schema.get_field_index("video_id"), "video_id", ids)
            pq.write_table(begun, copy / table / f"{'f' * 16}.parquet")
        told = CliRunner().invoke(app, given)
    assert (alone.exit_code, told.exit_code, told.stdout) == (0, 0, alone.stdout)


def test_what_has_no_clips_is_not_called_divided_and_its_clips_are_not_called_lost(
    labelled: Path, tmp_path: Path
) -> None:
    redecide(labelled, tmp_path / "decided")
    told = CliRunner().invoke(app, ["split", str(tmp_path / "decided")])
    assert (told.exit_code, told.stdout) == (0, "There are no clips to divide.\n")
    assert (
        "Clips are counted where they are rendered"
        in CliRunner().invoke(app, ["stats", str(tmp_path / "decided")]).stdout
    )
    assert "Clips are counted" not in CliRunner().invoke(app, ["stats", str(labelled)]).stdout
    compared = CliRunner().invoke(app, ["diff", str(labelled), str(tmp_path / "decided")]).stdout
    assert "Decided clips, rendered or not: 2 in both, 0 in the first alone, 0 in the second alone." in compared
