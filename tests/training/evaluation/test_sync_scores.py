import numpy as np
import pytest
import torch
from torch.nn import functional

from foundation.array_types import Float32Array
from foundation.errors import UsageError
from training.evaluation.sync_scores import sync_distances, sync_scores


@pytest.fixture(scope="module")
def embeddings() -> Float32Array:
    return np.random.default_rng(0).normal(size=(90, 32)).astype(np.float32)


def _moved(rows: Float32Array, frames: int) -> Float32Array:
    """The sound of each row `frames` later."""
    return np.roll(rows, frames, axis=0)


def test_sound_that_fits_has_the_smallest_distance_at_once(embeddings: Float32Array) -> None:
    found = sync_scores(sync_distances(embeddings, embeddings))
    assert found.distance == 0.0
    assert found.sound_late_frames == 0
    # two embeddings of noise are sqrt(2 * 32) apart; where one is missing, sqrt(32)
    assert found.confidence == pytest.approx(8.0, abs=0.6)
    assert found.n_windows == 90


@pytest.mark.parametrize("frames", [5, -5])
def test_sound_moved_by_5_frames_is_found_there_and_late_is_positive(embeddings: Float32Array, frames: int) -> None:
    found = sync_scores(sync_distances(embeddings, _moved(embeddings, frames)))
    assert found.sound_late_frames == frames
    assert found.confidence > 6.0


def test_sound_of_another_person_has_no_confidence(embeddings: Float32Array) -> None:
    other = np.random.default_rng(1).normal(size=(90, 32)).astype(np.float32)
    found = sync_scores(sync_distances(embeddings, other))
    assert found.confidence < 1.0
    assert found.distance > 6.0


def test_the_figures_are_those_of_the_published_steps_with_the_offset_reversed(embeddings: Float32Array) -> None:
    """Chung's `calc_pdist`, and what follows it, in its own terms: 15 rows of zeros on either side of the sound."""
    sound = _moved(embeddings, 3) + 0.5 * np.random.default_rng(2).normal(size=embeddings.shape).astype(np.float32)
    lips_TD, padded = torch.from_numpy(embeddings), functional.pad(torch.from_numpy(sound), (0, 0, 15, 15))
    rows = [functional.pairwise_distance(lips_TD[t].expand(31, -1), padded[t : t + 31]) for t in range(90)]
    mean_L = torch.stack(rows).mean(0)
    smallest, index = mean_L.min(0)
    found = sync_scores(sync_distances(embeddings, sound))
    assert found.distance == pytest.approx(smallest.item(), abs=1e-4)
    assert found.confidence == pytest.approx((mean_L.median() - smallest).item(), abs=1e-4)
    assert found.sound_late_frames == -(15 - int(index)) == 3


def test_embeddings_and_distances_of_other_shapes_are_refused(embeddings: Float32Array) -> None:
    with pytest.raises(UsageError, match=r"\(90, 32\) and \(89, 32\)"):
        sync_distances(embeddings, embeddings[1:])
    with pytest.raises(UsageError, match=r"\(0, 32\)"):
        sync_distances(embeddings[:0], embeddings[:0])
    with pytest.raises(UsageError, match=r"give \(T, 31\)"):
        sync_scores(np.zeros((5, 30)))
