"""One clip, against what the small dataset of conftest.py is written to hold."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from manifests import Clip, Dataset, DatasetError, MediaError
from manifests.files.media import read_frames
from manifests.files.tables import table_files, write_parquet
from manifests.schema.clips import CLIPS


@pytest.fixture
def spoken(made_dataset: Path) -> Clip:
    return Dataset(made_dataset).clip(0)


@pytest.fixture
def silent(made_dataset: Path) -> Clip:
    return Dataset(made_dataset).clip(1)


def test_row_and_repr_say_what_it_is(spoken: Clip) -> None:
    assert spoken.row["speaker_id"] == "anna"
    assert "landmarks" not in spoken.row
    assert repr(spoken) == (
        "Clip '00000000000000aa-0000000-0000099': 4 s of a.mp4 from 0 s, 100 frames, tier diffusion, split train"
    )


def test_times_are_those_of_the_source(silent: Clip) -> None:
    assert len(silent) == 80
    assert silent.times_s.tolist() == [tick / 25 for tick in range(120, 200)]


def test_frames_are_all_or_those_that_are_named(spoken: Clip) -> None:
    every = spoken.frames()
    assert (every.shape, every.dtype) == ((100, 256, 256, 3), np.uint8)
    assert np.array_equal(every, np.stack(list(read_frames(spoken.mp4()).frames)))
    assert np.abs(every[:, 128, 128].astype(float) - np.arange(100)[:, None]).max() <= 3
    assert np.array_equal(spoken.frames([3, 90]), every[[3, 90]])


def test_audio_lasts_as_long_as_the_frames(spoken: Clip, silent: Clip) -> None:
    samples = spoken.audio()
    assert samples is not None
    assert (samples.shape, samples.dtype) == ((640 * 100,), np.float32)
    assert np.abs(samples - np.sin(np.arange(64_000) / 20) * 8000 / 32768).max() < 1e-4
    assert (silent.audio(), silent.flac()) == (None, None)


def test_arrays_are_those_of_its_own_row(spoken: Clip, silent: Clip) -> None:
    for clip in (spoken, silent):
        expected = np.linspace(40, 216, clip.n_frames * 68 * 2, dtype=np.float32).reshape(-1, 68, 2)
        assert np.array_equal(clip.landmarks(), expected)
        assert clip.pose().shape == (clip.n_frames, 3)
    features = spoken.speech_features()
    assert features is not None
    assert (features.shape, features.dtype) == ((100, 4), np.float32)
    identity = spoken.identity()
    assert identity is not None
    assert identity.tolist() == [1.0] * 128
    assert (silent.speech_features(), silent.blendshapes()) == (None, None)


def test_contact_sheet_has_a_frame_a_second_with_its_landmarks(spoken: Clip) -> None:
    sheet = spoken.contact_sheet()
    assert sheet.size == (4 * 256, 256)
    pixels = np.asarray(sheet)
    for place, points in enumerate(spoken.landmarks()[::25]):
        x, y = points[30].astype(int)
        assert pixels[y, 256 * place + x].tolist() == [255, 255, 0]
    assert spoken.contact_sheet(every=20, n_columns=3).size == (3 * 256, 2 * 256)


def test_damage_is_named_with_the_clip(dataset: Path) -> None:
    clip = Dataset(dataset).clip(0)
    (tar,) = (dataset / "media").glob("*.tar")
    tar.write_bytes(tar.read_bytes()[:1000])
    with pytest.raises(MediaError, match=r"^00000000000000aa-0000000-0000099: .*past the end"):
        clip.frames()
    content = bytearray(1 << 20)
    tar.write_bytes(content)
    with pytest.raises(MediaError, match=r"^00000000000000aa-0000000-0000099: media/00000000000000aa.tar: the video"):
        clip.frames()
    with pytest.raises(MediaError, match=r"^00000000000000aa-0000000-0000099: media/00000000000000aa.tar: the audio"):
        clip.audio()


def test_a_table_that_is_gone_is_named(dataset: Path) -> None:
    clip = Dataset(dataset).clip(0)
    (path,) = table_files(dataset, "clips")
    path.unlink()
    with pytest.raises(DatasetError, match="row 0 cannot be read"):
        clip.landmarks()


@pytest.mark.parametrize("start_s", [float("inf"), float("nan"), -1.0])
def test_a_row_that_no_clip_can_have_is_refused(dataset: Path, start_s: float) -> None:
    (path,) = table_files(dataset, "clips")
    rows = pq.read_table(path, partitioning=None)
    number = rows.column_names.index("start_s")
    starts = pa.array([start_s] * rows.num_rows, pa.float64())
    write_parquet(path, rows.set_column(number, rows.schema.field(number), starts), CLIPS)
    with pytest.raises(DatasetError, match="start_s: .*gaia-curate validate"):
        Dataset(dataset).clip(0)
