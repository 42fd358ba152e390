"""Datasets on an object store: read by ranges, latents written beside them. fsspec's memory stands in for the store."""

from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path

import pytest
import torch
from fsspec.implementations.memory import MemoryFileSystem

from foundation.storage.locations import is_remote, location
from models.vae.vae import Vae, VaeConfig
from models.weights import WeightFacts, save_weights
from training.data.clips import ClipReader
from training.data.order import SampleKey
from training.data.selection import DataConfig, select_clips
from training.diffusion.sequences import MotionSequences, SequenceConfig
from training.latents.encode import write_latents
from training.latents.files import latents_folder
from training.loop.parallel import Ranks
from training.vae.samples import FramePairs

ALONE = Ranks(device=torch.device("cpu"))


@pytest.fixture
def remote(made_clips: Path) -> Iterator[Path]:
    """The made dataset at an address."""
    store = MemoryFileSystem()
    store.put(str(made_clips), "/bucket/dataset", recursive=True)
    yield location("memory://bucket/dataset")
    store.rm("/bucket", recursive=True)


def test_samples_are_those_of_a_local_dataset(remote: Path, made_clips: Path) -> None:
    assert is_remote(remote)
    config = DataConfig(where="snr_db > 10")
    there, here = (FramePairs(select_clips(dataset, config), image_px=64, seed=3) for dataset in (remote, made_clips))
    keys = [SampleKey(0, item, 0) for item in (0, 350, 479)]
    for one, other in zip(there.__getitems__(keys), here.__getitems__(keys), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one[:4], other[:4], strict=True))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked of the store: `start-end` of a range, which is one GET of S3, or the name of another request."""
    told: list[str] = []

    def noting(name: str, call: Callable[..., object]) -> Callable[..., object]:
        @wraps(call)
        def noted(*arguments: object, **named: object) -> object:
            told.append(f"{named['start']}-{named['end']}" if name == "cat_file" else name)
            return call(*arguments, **named)

        return noted

    for name in ("cat_file", "info", "exists", "ls", "open", "cat_ranges", "find"):
        monkeypatch.setattr(MemoryFileSystem, name, noting(name, getattr(MemoryFileSystem, name)))
    return told


def _range(start: int, size: int) -> str:
    return f"{start}-{start + size}"


def _no_lookups(asked: list[str]) -> list[str]:
    """Without what the store in memory asks itself: it opens a file to read a range, which S3 does in one request."""
    return [one for one in asked if one != "open"]


def test_only_the_clip_that_is_asked_for_is_fetched(remote: Path, asked: list[str]) -> None:
    reader = ClipReader(select_clips(remote, DataConfig()))
    asked.clear()
    reader.frames(1, [3, 9], 64)
    where = reader.index.row(1).mp4
    assert _no_lookups(asked) == [_range(where.offset, where.size)]


def test_a_pair_of_frames_takes_two_requests(remote: Path, asked: list[str]) -> None:
    pairs = FramePairs(select_clips(remote, DataConfig()), image_px=64, seed=3)
    pairs.pair(0, 1, 2)
    asked.clear()
    pairs.pair(1, 3, 9)
    row = pairs.index.row(1)
    points = row.arrays["landmarks"]
    assert _no_lookups(asked) == [_range(row.mp4.offset, row.mp4.size), _range(points.start, points.n_bytes)]


def test_latents_are_written_beside_it(remote: Path, asked: list[str], tmp_path: Path) -> None:
    config = VaeConfig(width=4, n_layers=1, multipliers=(1, 1, 1), groups=2, image_px=64)
    weights = tmp_path / "vae.safetensors"
    torch.manual_seed(0)
    save_weights(weights, Vae(config), config, WeightFacts(landmark_scheme="ibug68", speech_encoder=None))
    selected = DataConfig(tiers=("diffusion",), where="n_frames < 135")
    every = select_clips(remote, DataConfig(tiers=("diffusion",), splits=("train", "val"), where="n_frames < 135"))
    facts = write_latents(every, weights, ranks=ALONE, on_clip=lambda: None)
    assert facts is not None
    folder = latents_folder(remote, facts.vae_sha256)
    assert is_remote(folder)
    sequences = MotionSequences(select_clips(remote, selected), folder, SequenceConfig(allow_short=True), seed=1)
    assert sequences[SampleKey(0, 0, 0)].target_TD.shape[1] == 192
    asked.clear()
    sequences[SampleKey(1, 0, 0)]
    assert len(_no_lookups(asked)) == 3  # latents, speech features and head pose
