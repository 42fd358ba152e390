"""Clips of a selection that a command moves or removes while a training uses them."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.other_command import held_elsewhere

from manifests.files.tables import table_files
from manifests.packing import one_state
from manifests.packing.pack import StorageSettings, compact
from training.data import clips
from training.data.clips import ClipError, ClipReader, DamageLog, RemovedClipError
from training.data.order import SampleKey
from training.data.selection import DataConfig, SelectionError, select_clips
from training.vae.samples import FramePairs

A, B, C = "0a00000000000001", "2b00000000000002", "8d00000000000003"

MakeClips = Callable[..., Path]


@pytest.fixture
def dataset(make_clips: MakeClips, tmp_path: Path) -> Path:
    made = [{"video": video, "n_frames": 80 + number} for number, video in enumerate((A, B, C))]
    return make_clips(tmp_path / "dataset", *made)


def _all(reader: ClipReader) -> list[list[object]]:
    return [
        [reader.frames(clip, [0, 40, 79], 64).tolist(), reader.array(clip, "landmarks").tolist()]
        for clip in range(len(reader.index))
    ]


def test_clips_that_are_packed_meanwhile_are_read_from_their_new_files(dataset: Path) -> None:
    reader, before = (ClipReader(select_clips(dataset, DataConfig())) for _ in range(2))
    expected = _all(before)
    compact(dataset, [A, B, C], StorageSettings())
    assert not (dataset / "media" / f"{A}.tar").exists()
    assert _all(reader) == expected
    compact(dataset, [A, B, C], StorageSettings(part_mb=0.001, shard_gib=1e-5))
    assert _all(reader) == expected


def test_samples_do_not_depend_on_whether_the_dataset_was_packed_meanwhile(dataset: Path) -> None:
    undisturbed, disturbed = (FramePairs(select_clips(dataset, DataConfig()), image_px=64, seed=3) for _ in range(2))
    keys = [SampleKey(0, item, 0) for item in range(0, 240, 24)]
    expected = undisturbed.__getitems__(keys)
    compact(dataset, [A, B, C], StorageSettings())
    for one, other in zip(disturbed.__getitems__(keys), expected, strict=True):
        assert one.damaged == ()
        assert all(np.array_equal(a, b) for a, b in zip(one[:4], other[:4], strict=True))


def test_a_removed_clip_is_skipped_counted_and_named_and_is_no_damage(
    dataset: Path, caplog: pytest.LogCaptureFixture
) -> None:
    index = select_clips(dataset, DataConfig())
    pairs, reader, log = FramePairs(index, image_px=64, seed=3), ClipReader(index), DamageLog(index)
    compact(dataset, [A, C], StorageSettings())
    with pytest.raises(RemovedClipError, match=f"^{B}-0000000-0000080: it was removed from the dataset"):
        reader.frames(1, [0], 64)
    with pytest.raises(RemovedClipError):
        reader.array(1, "landmarks")
    assert len(reader.frames(0, [0], 64)) == len(reader.frames(2, [0], 64)) == 1
    samples = pairs.__getitems__([SampleKey(0, item, 0) for item in range(0, 240, 12)])
    damaged = [reason for sample in samples for reason in sample.damaged]
    assert {reason.partition(":")[0] for reason in damaged} == {f"{B}-0000000-0000080"}
    with caplog.at_level(logging.WARNING):
        log.record(damaged)
        log.record(damaged)
    assert len(log) == 0
    assert [record.getMessage() for record in caplog.records] == [
        f"clip skipped: {B}-0000000-0000080: {clips.REMOVED}, as 1 of 3 by now"
    ]


def test_clips_are_not_damaged_while_a_command_is_in_the_middle_of_removing_others(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_state, "_PAUSE_S", 0.01)
    reader = ClipReader(select_clips(dataset, DataConfig()))
    compact(dataset, [A, C], StorageSettings())
    with held_elsewhere(dataset, "gaia-curate forget"):
        for path in table_files(dataset, "clips"):
            path.with_suffix(".gone").write_bytes(path.read_bytes())
            path.unlink()
        (dataset / "videos").mkdir()
        with pytest.raises(ClipError):
            reader.frames(0, [0], 64)
    for path in (dataset / "clips").iterdir():
        path.rename(path.with_suffix(".parquet"))
    assert len(reader.frames(0, [0], 64)) == 1


def test_a_damaged_clip_is_still_damaged_and_looked_for_once(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = ClipReader(select_clips(dataset, DataConfig()))
    (dataset / "media" / f"{B}.tar").write_bytes(b"")
    looks = []
    monkeypatch.setattr(clips, "located_again", lambda index: looks.append(index) or index)
    for _ in range(3):
        with pytest.raises(ClipError, match="past the end of the tar") as error:
            reader.frames(1, [0], 64)
        assert not isinstance(error.value, RemovedClipError)
    assert looks == []


def test_clips_that_a_run_has_not_finished_yet_are_not_selected(dataset: Path) -> None:
    with held_elsewhere(dataset, "gaia-curate run"), pytest.raises(SelectionError, match="has no clips"):
        select_clips(dataset, DataConfig())
    assert len(select_clips(dataset, DataConfig())) == 3
