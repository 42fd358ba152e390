import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.made_videos import read_count
from helpers.spoilt_clips import rewrite_array
from torch.utils.data import DataLoader

from models.pixels import to_float
from training.data.clips import DamagedDataError
from training.data.order import BatchShape, Cursor, MicroBatches, SampleKey
from training.data.selection import DataConfig, select_clips
from training.vae.samples import FramePair, FramePairBatch, FramePairs, collate_pairs

MakeClips = Callable[..., Path]


@pytest.fixture(scope="module")
def pairs(made_clips: Path) -> FramePairs:
    return FramePairs(select_clips(made_clips, DataConfig()), image_px=64, seed=3)


def _count(image_CHW: torch.Tensor) -> int:
    return read_count(image_CHW.permute(1, 2, 0).numpy())


def test_a_pair_is_two_frames_of_one_clip_and_the_landmarks_of_the_second(pairs: FramePairs) -> None:
    for item in (0, 299, 300, 399, 400, 739):
        key = SampleKey(epoch=0, item=item, batch=0)
        _, source, target = pairs.frames_of(key)
        pair = pairs[key]
        assert (_count(pair.image_i_CHW), _count(pair.image_j_CHW)) == (source, target)
        assert torch.equal(pair.landmarks_K2, torch.full((68, 2), target / 8))
        assert pair.valid_K.tolist() == [True] * 68
        assert pair.image_i_CHW.shape == (3, 64, 64)
        assert pair.image_i_CHW.dtype == torch.uint8


@pytest.mark.parametrize("clip_px", [32, 64, 128])
def test_landmarks_are_scaled_with_the_frames_of_clips_of_any_size(
    clip_px: int, make_clips: Callable[..., Path], tmp_path: Path
) -> None:
    dataset = make_clips(tmp_path / "dataset", {"video": "a", "n_frames": 80, "size_px": clip_px})
    pair = FramePairs(select_clips(dataset, DataConfig()), image_px=64, seed=3).pair(0, 10, 40)
    assert (_count(pair.image_i_CHW), _count(pair.image_j_CHW)) == (10, 40)
    # frame k has its landmarks at k / 512 of its width, so at 5 px of 64
    assert torch.equal(pair.landmarks_K2, torch.full((68, 2), 5.0))


def test_clips_of_another_size_than_their_dataset_are_refused(make_clips: Callable[..., Path], tmp_path: Path) -> None:
    clips = [{"video": name, "n_frames": 80, "size_px": 64} for name in "ab"]
    dataset = make_clips(tmp_path / "dataset", *clips, clip_px=128)
    pairs = FramePairs(select_clips(dataset, DataConfig()), image_px=64, seed=3)
    with pytest.raises(DamagedDataError, match="64x64 px, not 128x128 as its dataset says"):
        pairs[SampleKey(0, 0, 0)]


def test_an_epoch_takes_each_frame_as_target_once(pairs: FramePairs) -> None:
    assert len(pairs) == 300 + 100 + 260 + 80
    taken = Counter(pairs.frames_of(SampleKey(0, item, 0))[::2] for item in range(len(pairs)))
    assert taken == Counter((clip, frame) for clip, n in enumerate((300, 100, 260, 80)) for frame in range(n))


def test_the_end_of_each_clip_is_held_out_as_target_and_as_source(made_clips: Path) -> None:
    held = FramePairs(select_clips(made_clips, DataConfig()), image_px=64, seed=3, held_out_share=0.25)
    n_train_frames = (225, 75, 195, 60)  # of clips of 300, 100, 260 and 80 frames
    assert held.n_train_frames.tolist() == list(n_train_frames)
    assert len(held) == sum(n_train_frames)
    drawn = [held.frames_of(SampleKey(epoch, item, 0)) for epoch in range(4) for item in range(len(held))]
    for clip, n_frames in enumerate(n_train_frames):
        of_clip = [(source, target) for which, source, target in drawn if which == clip]
        assert {target for _, target in of_clip} == set(range(n_frames))
        assert max(source for source, _ in of_clip) == n_frames - 1


def test_a_tenth_of_the_pairs_is_one_frame_twice_and_all_else_is_uniform(pairs: FramePairs) -> None:
    drawn = [pairs.frames_of(SampleKey(epoch, item, 0)) for epoch in range(30) for item in range(400, 660)]
    n = len(drawn)
    same = sum(source == target for _, source, target in drawn)
    assert abs(same - 0.1 * n) < 2.6 * (0.09 * n) ** 0.5  # 99 % of a binomial
    offsets = np.bincount([(source - target) % 260 for _, source, target in drawn if source != target], minlength=260)
    expected = (n - same) / 259
    assert offsets[0] == 0
    assert np.square(offsets[1:] - expected).sum() / expected < 314.0  # chi-squared of 258 degrees, p = 0.01


def test_in_a_clip_of_three_frames_each_other_frame_is_drawn_as_often(make_clips: MakeClips, tmp_path: Path) -> None:
    dataset = make_clips(tmp_path / "dataset", {"video": "a", "n_frames": 3})
    pairs = FramePairs(select_clips(dataset, DataConfig()), image_px=64, seed=3)
    drawn = Counter(pairs.frames_of(SampleKey(epoch, item, 0))[1:] for epoch in range(4000) for item in range(3))
    for (source, target), count in drawn.items():
        assert abs(count / 4000 - (0.1 if source == target else 0.45)) < 0.025  # more than 3 standard deviations
    assert len(drawn) == 9


def test_each_epoch_pairs_a_target_with_another_source(pairs: FramePairs) -> None:
    sources = {pairs.frames_of(SampleKey(epoch, 5, 0))[1] for epoch in range(20)}
    assert len(sources) > 10


def test_a_clip_of_one_frame_is_paired_with_itself(make_clips: MakeClips, tmp_path: Path) -> None:
    dataset = make_clips(tmp_path / "dataset", {"video": "a", "n_frames": 1})
    pairs = FramePairs(select_clips(dataset, DataConfig()), image_px=64, seed=3)
    assert {pairs.frames_of(SampleKey(epoch, 0, 0)) for epoch in range(20)} == {(0, 0, 0)}


def test_a_batch_is_what_its_samples_are(pairs: FramePairs) -> None:
    keys = [SampleKey(0, item, 0) for item in (500, 3, 501, 3, 399, 12)]
    together = pairs.__getitems__(keys)
    for key, pair in zip(keys, together, strict=True):
        assert all(torch.equal(one, other) for one, other in zip(pair[:4], pairs[key][:4], strict=True))
    batch = collate_pairs(together)
    assert batch.image_i_BCHW.shape == batch.image_j_BCHW.shape == (6, 3, 64, 64)
    assert torch.equal(batch.landmarks_BK2[4], together[4].landmarks_K2)
    assert batch.valid_BK.shape == (6, 68)
    assert batch.damaged == ()


def _loaded(pairs: FramePairs, workers: int, shape: BatchShape, steps: int) -> list[FramePairBatch]:
    order = MicroBatches(shape, Cursor(), n_items=len(pairs), seed=3)
    loader: DataLoader[FramePair] = DataLoader(
        pairs, batch_sampler=order, num_workers=workers, collate_fn=collate_pairs
    )
    batches: Iterator[FramePairBatch] = iter(loader)
    return list(islice(batches, steps))


def test_samples_do_not_depend_on_loader_processes_or_ranks(pairs: FramePairs) -> None:
    alone = _loaded(pairs, 0, BatchShape(global_batch=8, micro_batch=8), 4)
    worked = _loaded(pairs, 2, BatchShape(global_batch=8, micro_batch=8), 4)
    ranks = [_loaded(pairs, 0, BatchShape(global_batch=8, micro_batch=4, world_size=2, rank=r), 4) for r in (0, 1)]
    for step, batch in enumerate(alone):
        for part in range(4):
            assert torch.equal(batch[part], worked[step][part])
            assert torch.equal(batch[part], torch.cat([rank[step][part] for rank in ranks]))


@pytest.fixture
def damaged(made_clips: Path, tmp_path: Path) -> FramePairs:
    """Pairs of the made dataset whose clip number 2, frames 400 to 659, has no readable video."""
    dataset = Path(shutil.copytree(made_clips, tmp_path / "dataset"))
    (dataset / "media" / "b.tar").write_bytes(b"no tar")
    return FramePairs(select_clips(dataset, DataConfig()), image_px=64, seed=3)


def test_another_clip_stands_in_for_a_damaged_one_and_names_it(damaged: FramePairs) -> None:
    keys = [SampleKey(0, item, 0) for item in (10, 500, 11, 501)]
    samples = damaged.__getitems__(keys)
    assert [bool(sample.damaged) for sample in samples] == [False, True, False, True]
    assert all(reason.startswith("b-0000000-0000259: media/b.tar: ") for reason in samples[1].damaged)
    batch = collate_pairs(samples)
    assert len(batch.damaged) == len(samples[1].damaged) + len(samples[3].damaged)
    clip, source, target = damaged.frames_of(keys[1], len(samples[1].damaged))
    assert clip != 2
    assert (_count(samples[1].image_i_CHW), _count(samples[1].image_j_CHW)) == (source, target)


def test_the_same_clip_stands_in_whatever_the_batch(damaged: FramePairs) -> None:
    keys = [SampleKey(0, item, 0) for item in range(490, 500)]
    together = damaged.__getitems__(keys)
    assert all(
        torch.equal(pair.image_j_CHW, damaged[key].image_j_CHW) for key, pair in zip(keys, together, strict=True)
    )


def test_a_dataset_without_a_readable_clip_stops_the_run(damaged: FramePairs) -> None:
    for tar in (damaged.index.dataset / "media").iterdir():
        tar.write_bytes(b"no tar")
    with pytest.raises(DamagedDataError, match=r"16 clips in a row .*gaia-curate validate.*a-0000000-0000299: "):
        _ = damaged[SampleKey(0, 5, 0)]


def test_a_clip_whose_landmarks_are_not_finite_is_replaced_and_named(made_clips: Path, tmp_path: Path) -> None:
    dataset = Path(shutil.copytree(made_clips, tmp_path / "dataset"))

    def spoil(array: np.ndarray) -> np.ndarray:
        array[7, 3] = np.nan
        return array

    rewrite_array(dataset, "a", 0, "landmarks", spoil)
    spoilt = FramePairs(select_clips(dataset, DataConfig()), image_px=64, seed=3)
    for key in (SampleKey(0, item, 0) for item in range(0, 300, 60)):  # all of the spoilt clip
        assert spoilt.frames_of(key)[0] == 0
        pair = spoilt[key]
        assert pair.landmarks_K2.isfinite().all()
        assert pair.damaged[0].startswith("a-0000000-0000299: ")


def test_points_that_were_not_found_are_not_valid(made_clips: Path, pairs: FramePairs) -> None:
    spoilt = FramePairs(select_clips(made_clips, DataConfig()), image_px=64, seed=3)
    landmarks = spoilt._reader.array(0, "landmarks").copy()
    landmarks[5, 7, 1] = np.nan

    class Reader:
        frames = pairs._reader.frames

        @staticmethod
        def array(_clip: int, _column: str, frames: list[int]) -> np.ndarray:
            return landmarks[frames]

    spoilt._reader = Reader()
    assert spoilt.pair(0, 1, 5).valid_K.tolist() == [point != 7 for point in range(68)]


def test_bytes_become_pictures_from_minus_one_to_one() -> None:
    grey = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 3, 1, 1)
    assert to_float(grey).flatten().tolist() == pytest.approx([-1.0, -0.6, 1.0])
