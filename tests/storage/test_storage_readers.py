"""Readers of a dataset in a store while a command packs it, removes from it, or has it to itself."""

import threading
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from helpers.made_parts import MADE_VIDEOS, clip_bytes, put_videos
from helpers.other_command import held_elsewhere
from helpers.store_server import StoreServer
from typer.testing import CliRunner

from curation.cli.app import app
from curation.output.provenance import new_record
from curation.settings import CurationSettings
from foundation.errors import EXIT_CANNOT_START
from foundation.storage.atomic import write_bytes_atomic
from manifests.dataset import Dataset
from manifests.files.journal import JOURNAL
from manifests.packing import one_state
from manifests.packing.one_state import Counted, in_one_state
from manifests.packing.pack import StorageSettings, compact
from manifests.record import write_dataset

VIDEOS = MADE_VIDEOS[:3]
SIZES = (StorageSettings(part_mb=0.05, shard_gib=5e-5), StorageSettings())


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_state, "_PAUSE_S", 0.05)
    monkeypatch.setattr(one_state, "_ATTEMPTS", 20)  # no lease says here that a command is at work


@pytest.fixture
def dataset(bucket: Path, made_record: bytes) -> Path:
    put_videos(bucket / "dataset", VIDEOS)
    write_bytes_atomic(bucket / "dataset" / "dataset.json", made_record)
    return bucket / "dataset"


@pytest.fixture(scope="module")
def made_record(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The record of a dataset; of its totals no test here reads any."""
    folder = tmp_path_factory.mktemp("record")
    made = new_record(CurationSettings(), [])
    write_dataset(folder, made)
    return (folder / "dataset.json").read_bytes()


def _packing(
    dataset: Path, rounds: int, videos: Collection[str] = VIDEOS
) -> tuple[threading.Thread, list[BaseException]]:
    """Pack a dataset into files of another size again and again."""
    errors: list[BaseException] = []

    def pack() -> None:
        try:
            for number in range(rounds):
                compact(dataset, videos, SIZES[number % 2])
        except BaseException as error:  # noqa: BLE001 - shown by the test
            errors.append(error)

    thread = threading.Thread(target=pack)
    thread.start()
    return thread, errors


@pytest.mark.slow
def test_clips_read_while_a_run_packs_are_all_there_and_the_same(dataset: Path) -> None:
    expected = clip_bytes(dataset)
    data = Dataset(dataset)
    clips = {name: data.clip(name) for name in expected}
    packing, errors = _packing(dataset, 6)
    while packing.is_alive():
        for name, clip in clips.items():
            assert (clip.mp4(), clip.flac()) == expected[name]
    packing.join()
    assert errors == []


@pytest.mark.slow
def test_rows_read_while_a_run_packs_are_each_there_once(dataset: Path) -> None:
    def read(_counted: Counted) -> list[str]:
        return sorted(Dataset(dataset).clips(columns=["clip_id"])["clip_id"].to_pylist())

    expected = in_one_state(dataset, read)
    assert len(expected) == 6
    packing, errors = _packing(dataset, 4)
    while packing.is_alive():
        with suppress(one_state.ChangingDatasetError):  # a run packs once, and not all the time
            assert in_one_state(dataset, read) == expected
    packing.join()
    assert errors == []


@pytest.mark.slow
def test_a_training_goes_on_while_a_run_packs(bucket: Path, curated_sample: Path) -> None:
    from training.data.clips import ClipReader
    from training.data.selection import DataConfig, select_clips

    place = bucket / "talks"
    for path in curated_sample.rglob("*"):
        if path.is_file():
            write_bytes_atomic(place / path.relative_to(curated_sample).as_posix(), path.read_bytes())
    put_videos(place, VIDEOS[:1])  # so that there is something to divide
    own = set(Dataset(place).clips(columns=["video_id"])["video_id"].to_pylist())
    index = select_clips(curated_sample, DataConfig())
    here, reader = ClipReader(index), ClipReader(select_clips(place, DataConfig(where="n_frames > 10")))
    expected = [here.frames(clip, [0, 29], 64) for clip in range(len(index))]
    assert len(reader.index) == len(index) > 0
    packing, errors = _packing(place, 6, own)
    while packing.is_alive():
        for clip in range(len(index)):
            assert np.array_equal(reader.frames(clip, [0, 29], 64), expected[clip])
            assert len(reader.array(clip, "landmarks")) == index.n_frames[clip]
    packing.join()
    assert errors == []


@pytest.mark.parametrize("command", ["forget", "retry", "validate", "decide"])
def test_a_second_command_on_an_address_is_refused_and_changes_nothing(
    command: str, dataset: Path, s3: StoreServer
) -> None:
    arguments = {
        "forget": ["forget", str(dataset), "--speaker", "anna"],
        "retry": ["retry", str(dataset), "--failed"],
        "validate": ["validate", str(dataset)],
        "decide": ["decide", str(dataset), "--out", f"{dataset.parent}/decided"],
    }[command]
    with held_elsewhere(dataset, "gaia-curate run"):
        s3.forget()
        told = CliRunner().invoke(app, arguments)
    assert told.exit_code == EXIT_CANNOT_START, told.output
    assert "`gaia-curate run` on host" in told.stderr
    written = {path.rpartition("/")[2] for method, path in s3.requests if method in ("PUT", "DELETE", "POST")}
    assert {name for name in written if not name.startswith(".lease")} == set()
    assert JOURNAL not in written
