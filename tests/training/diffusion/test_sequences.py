import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch.utils.data import DataLoader

from manifests.files.tables import write_parquet
from manifests.schema.arrow_arrays import array_column
from models.vae.vae import VaeConfig
from training.data.order import BatchShape, Cursor, MicroBatches, SampleKey
from training.data.selection import ClipIndex, DataConfig, SelectionError, select_clips
from training.diffusion.sequences import (
    Excerpt,
    MotionSequenceBatch,
    MotionSequences,
    SequenceConfig,
    collate_sequences,
)
from training.latents.files import LATENTS, LatentFacts, LatentsError, Moments, write_facts

DIFFUSION = DataConfig(tiers=("diffusion",))
SHAPE = (3, 2, 2)


def _write_latents(folder: Path, index: ClipIndex) -> Path:
    """Write latents whose frame k is k in all dimensions; channels have mean 10, 20, 30 and standard deviation 2."""
    for number, file in enumerate(index.files):
        clips = np.flatnonzero(np.asarray(index.rows["file"]) == number)
        n_frames = index.n_frames[clips]
        latents = [np.broadcast_to(np.arange(n)[:, None], (n, 12)).astype(np.float16) for n in n_frames]
        columns = {
            "latents": latents,
            "appearance": [np.zeros(12, np.float16)] * len(clips),
            "channel_mean": [np.zeros(3)] * len(clips),
            "channel_squares": [np.zeros(3)] * len(clips),
        }
        table = {
            "clip_id": index.rows["clip_id"].take(clips),
            "n_frames": pa.array(n_frames, pa.int32()),
            **{name: array_column(arrays, LATENTS.column(name).type) for name, arrays in columns.items()},
        }
        write_parquet(folder / file.name, pa.table(table), LATENTS)
    facts = LatentFacts(
        vae=VaeConfig(width=4, n_layers=1, multipliers=(1, 1, 1), groups=2, image_px=16),
        vae_sha256="0" * 64,
        landmark_scheme="ibug68",
        latent_shape=SHAPE,
        where=None,
        clips=len(index),
        damaged=0,
        frames=int(index.n_frames.sum()),
        latents=Moments(count=100, mean=(10.0, 20.0, 30.0), squares=(400.0, 400.0, 400.0)),
        pose_deg=Moments(count=100, mean=(0.0, 0.0, 0.0), squares=(1.0, 1.0, 1.0)),
    )
    write_facts(folder, facts)
    return folder


@pytest.fixture(scope="module")
def latents(made_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    index = select_clips(made_clips, replace(DIFFUSION, splits=("train", "val", "test")))
    return _write_latents(tmp_path_factory.mktemp("latents"), index)


def _sequences(made_clips: Path, latents: Path, **config: object) -> MotionSequences:
    return MotionSequences(select_clips(made_clips, DIFFUSION), latents, SequenceConfig(**config), seed=8)


def _drawn(sequences: MotionSequences, epochs: int) -> list[Excerpt]:
    keys = [SampleKey(epoch, item, 0) for epoch in range(epochs) for item in range(len(sequences))]
    return [sequences.excerpt_of(key) for key in keys]


def _chi_squared(counts: np.ndarray) -> float:
    expected = counts.sum() / len(counts)
    return float(np.square(counts - expected).sum() / expected)


def test_lengths_are_uniform_over_125_to_250_and_stretches_inside_the_clip(made_clips: Path, latents: Path) -> None:
    sequences = _sequences(made_clips, latents)
    assert len(sequences) == 2  # the clips of 300 and 260 frames; that of 80 is too short
    drawn = _drawn(sequences, 6000)
    lengths = np.array([excerpt.n_frames for excerpt in drawn])
    assert (lengths.min(), lengths.max()) == (125, 250)
    assert _chi_squared(np.bincount(lengths - 125, minlength=126)) < 165.8  # 125 degrees, p = 0.01
    of_clip = sequences.index.n_frames[[excerpt.clip for excerpt in drawn]]
    starts = np.array([excerpt.start for excerpt in drawn])
    assert starts.min() == 0
    assert (starts + lengths <= of_clip).all()
    assert (starts + lengths == of_clip).any()


def test_starts_are_uniform_given_the_length(made_clips: Path, latents: Path) -> None:
    sequences = _sequences(made_clips, latents, min_frames=250)
    starts = np.array([excerpt.start for excerpt in _drawn(sequences, 4000) if excerpt.clip == 0])
    assert _chi_squared(np.bincount(starts, minlength=51)) < 76.2  # 0 to 50 of 300 frames: 50 degrees, p = 0.01


def test_the_reference_is_any_frame_of_the_clip(made_clips: Path, latents: Path) -> None:
    drawn = [excerpt for excerpt in _drawn(_sequences(made_clips, latents), 8000) if excerpt.clip == 0]
    references = np.array([excerpt.reference for excerpt in drawn])
    assert _chi_squared(np.bincount(references, minlength=300)) < 358.8  # 299 degrees, p = 0.01
    inside = np.mean([s.start <= s.reference < s.start + s.n_frames for s in drawn])
    share = np.mean([s.n_frames for s in drawn]) / 300
    assert inside == pytest.approx(share, abs=0.02)


def test_draws_of_a_sample_do_not_hang_together(made_clips: Path, latents: Path) -> None:
    sequences = _sequences(made_clips, latents, min_frames=250)
    drawn = np.array([excerpt for excerpt in _drawn(sequences, 4000) if excerpt.clip == 0])
    assert abs(np.corrcoef(drawn[:, 1], drawn[:, 3])[0, 1]) < 2.58 / 4000**0.5  # p = 0.01


def test_a_clip_shorter_than_the_longest_sequence_gives_what_it_has(made_clips: Path, latents: Path) -> None:
    index = select_clips(made_clips, replace(DIFFUSION, splits=("val",)))
    sequences = MotionSequences(index, latents, SequenceConfig(), seed=8)
    lengths = {excerpt.n_frames for excerpt in _drawn(sequences, 400)}
    assert lengths == set(range(125, 131))


def test_short_clips_take_part_where_allowed(made_clips: Path, latents: Path) -> None:
    sequences = _sequences(made_clips, latents, allow_short=True)
    assert len(sequences) == 3
    drawn = _drawn(sequences, 400)
    assert {s.n_frames for s in drawn if s.clip == 2} == set(range(75, 81))
    assert min(s.n_frames for s in drawn if s.clip != 2) >= 125


def test_a_set_of_short_clips_alone_says_what_to_do(made_clips: Path, latents: Path) -> None:
    index = select_clips(made_clips, replace(DIFFUSION, where="n_frames < 125"))
    with pytest.raises(SelectionError, match=r"longest of 1 clip has 80 frames, .* set sequences.allow_short=true"):
        MotionSequences(index, latents, SequenceConfig(), seed=8)
    with pytest.raises(SelectionError, match="select longer clips"):
        MotionSequences(index, latents, SequenceConfig(allow_short=True, short_frames=100), seed=8)


def test_a_long_clip_comes_as_often_as_the_longest_sequence_goes_into_it(
    make_clips: Callable[..., Path], tmp_path: Path
) -> None:
    dataset = make_clips(tmp_path / "dataset", {"video": "a", "n_frames": 40}, {"video": "b", "n_frames": 12})
    index = select_clips(dataset, DIFFUSION)
    config = SequenceConfig(short_frames=5, min_frames=5, max_frames=10)
    sequences = MotionSequences(index, _write_latents(tmp_path / "latents", index), config, seed=8)
    assert [excerpt.clip for excerpt in _drawn(sequences, 1)] == [1, 0, 0, 0, 0]


def test_one_length_for_a_batch_is_uniform_and_needs_no_padding(made_clips: Path, latents: Path) -> None:
    sequences = _sequences(made_clips, latents, allow_short=True, length_mode="per_batch")
    lengths = []
    for batch in range(0, 12_000, 3):
        drawn = [sequences.excerpt_of(SampleKey(batch, item, batch)) for item in range(3)]
        assert len({excerpt.n_frames for excerpt in drawn}) == 1
        assert all(s.start + s.n_frames <= sequences.index.n_frames[s.clip] for s in drawn)
        lengths.append(drawn[0].n_frames)
    assert _chi_squared(np.bincount(np.array(lengths) - 125, minlength=126)) < 165.8


def test_all_rows_of_a_sample_are_of_the_same_frames(made_clips: Path, latents: Path) -> None:
    sequence = _sequences(made_clips, latents).sequence(Excerpt(clip=1, start=7, n_frames=130, reference=200))
    k = torch.arange(7.0, 137.0)
    assert torch.equal(sequence.target_TD.reshape(130, 3, 4)[:, 0, 3], (k - 10) / 2)
    assert torch.equal(sequence.target_TD.reshape(130, 3, 4)[:, 2, 0], (k - 30) / 2)
    assert torch.equal(sequence.speech_TF[:, 0], k)
    assert torch.equal(sequence.pose_deg_TP, torch.stack([k, -k, 0 * k], dim=1))
    assert torch.equal(sequence.reference_D.reshape(3, 4)[1], torch.full((4,), (200 - 20) / 2))
    assert {part.dtype for part in sequence[:4]} == {torch.float32}


def test_a_batch_is_padded_to_a_multiple_of_25_with_zeros(made_clips: Path, latents: Path) -> None:
    sequences = _sequences(made_clips, latents)
    parts = [sequences.sequence(Excerpt(clip=0, start=50, n_frames=n, reference=0)) for n in (126, 151)]
    batch = collate_sequences(parts)
    assert batch.target_BTD.shape == (2, 175, 12)
    assert batch.inputs.mask_BT.sum(1).tolist() == [126, 151]
    assert torch.equal(batch.target_BTD[0, :126], parts[0].target_TD)
    assert batch.inputs.speech_BTF is not None
    assert batch.inputs.pose_deg_BTP is not None
    for padded in (batch.target_BTD, batch.inputs.speech_BTF, batch.inputs.pose_deg_BTP):
        assert not padded[0, 126:].any()
        assert padded[1, 150].any()
    assert torch.equal(batch.inputs.reference_BD[1], parts[1].reference_D)
    assert collate_sequences([parts[0]]).target_BTD.shape[1] == 150


def _loaded(sequences: MotionSequences, workers: int, shape: BatchShape) -> list[MotionSequenceBatch]:
    order = MicroBatches(shape, Cursor(), n_items=len(sequences), seed=3)
    loader = DataLoader(sequences, batch_sampler=order, num_workers=workers, collate_fn=collate_sequences)
    return list(islice(iter(loader), 4))


def test_samples_do_not_depend_on_loader_processes(made_clips: Path, latents: Path) -> None:
    sequences = _sequences(made_clips, latents)
    shape = BatchShape(global_batch=4, micro_batch=2)
    for alone, worked in zip(_loaded(sequences, 0, shape), _loaded(sequences, 2, shape), strict=True):
        assert torch.equal(alone.target_BTD, worked.target_BTD)
        assert torch.equal(alone.inputs.mask_BT, worked.inputs.mask_BT)
        assert torch.equal(alone.inputs.reference_BD, worked.inputs.reference_BD)


def test_another_clip_stands_in_for_a_damaged_one_and_names_it(made_clips: Path, latents: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(latents, tmp_path / "latents"))
    sequences = _sequences(made_clips, folder)
    (folder / "b.parquet").write_bytes(b"PAR1 no more")
    (item,) = (item for item in range(2) if sequences.excerpt_of(SampleKey(0, item, 0)).clip == 1)
    sample = sequences[SampleKey(0, item, 0)]
    assert sample.damaged
    assert all(reason.startswith("b-0000000-0000259: ") for reason in sample.damaged)
    assert collate_sequences([sample]).damaged == sample.damaged


def test_clips_without_latents_are_named(made_clips: Path, latents: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(latents, tmp_path / "latents"))
    (folder / "b.parquet").unlink()
    with pytest.raises(LatentsError, match="no latents of 1 of 3 clips, such as b-0000000-0000259; run `gaia-train"):
        _sequences(made_clips, folder)


def test_latents_that_are_not_complete_are_refused(made_clips: Path, latents: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(latents, tmp_path / "latents"))
    (folder / "latents.json").unlink()
    with pytest.raises(LatentsError, match="no complete latents"):
        _sequences(made_clips, folder)
    (folder / "latents.json").write_text("{}")
    with pytest.raises(LatentsError, match="is damaged"):
        _sequences(made_clips, folder)


def test_clips_of_tier_vae_cannot_be_learnt_from(made_clips: Path, latents: Path) -> None:
    with pytest.raises(SelectionError, match="give clips of tier diffusion"):
        MotionSequences(select_clips(made_clips, DataConfig()), latents, SequenceConfig(), seed=8)


def test_lengths_that_do_not_rise_are_refused() -> None:
    with pytest.raises(ValueError, match="do not rise"):
        SequenceConfig(min_frames=300)
