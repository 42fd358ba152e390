"""Average linkage for many items: the groups of SciPy's, as far as links allow."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage

from curation.identities import nearest
from curation.identities.clustering import GroupMeans, agglomerate, unit
from curation.identities.links import Groups


def made(n: int, people: int, seed: int, noise: float = 0.8) -> np.ndarray:
    """(n, 16) vectors of length 1 around the directions of some people."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((people, 16)) + 1.0
    return unit((centres[random.integers(people, size=n)] + noise * random.standard_normal((n, 16))).astype(np.float32))


def grouped(vectors: np.ndarray, limit: float, groups: Groups | None = None) -> np.ndarray:
    groups = groups or Groups(len(vectors))
    means = GroupMeans(vectors, groups)
    agglomerate(means, groups, np.unique(groups.all()), limit, threads=1)
    return groups.all()


def partition(labels: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels.tolist())}


@pytest.mark.parametrize("limit", [0.3, 0.6, 0.8])
@pytest.mark.parametrize("seed", range(3))
def test_groups_are_those_of_scipys_average_linkage(limit: float, seed: int) -> None:
    vectors = made(60, 8, seed)
    # SciPy's distance is 1 - cosine: average linkage of it ends where the mean cosine is the limit
    expected = fcluster(linkage(vectors.astype(np.float64), "average", metric="cosine"), 1 - limit, "distance")
    assert partition(grouped(vectors, limit)) == partition(expected)


def test_an_approximate_search_finds_the_same_people(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = made(2000, 20, 0, noise=0.15)
    exact = partition(grouped(vectors, 0.9))
    monkeypatch.setattr(nearest, "_EXACT_AT_MOST", 500)
    assert partition(grouped(vectors, 0.9)) == exact
    assert len(exact) == 20


def test_equal_vectors_become_one_group() -> None:
    assert partition(grouped(np.tile(unit(np.ones((1, 4), np.float32)), (50, 1)), 0.9)) == {frozenset(range(50))}


def test_faces_that_must_stay_apart_do_and_pass_it_on_to_their_groups() -> None:
    # 0 and 1 are alike, 2 and 3 are alike and a little less like these; 0 must not be with 3
    angles = np.array([0.0, 0.1, 0.5, 0.6])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert partition(grouped(vectors, 0.7)) == {frozenset({0, 1, 2, 3})}
    assert partition(grouped(vectors, 0.7, Groups(4, [(0, 3)]))) == {frozenset({0, 1}), frozenset({2, 3})}


def test_labels_of_one_kind_keep_apart_and_those_of_two_kinds_do_not() -> None:
    vectors = np.tile(unit(np.ones((1, 4), np.float32)), (3, 1))
    labels = {0: ("films", "anna"), 1: ("films", "bert"), 2: ("talks", "carl")}
    groups = grouped(vectors, 0.9, Groups(3, (), labels))
    assert groups[0] != groups[1]
    assert groups[2] in groups[:2]


def test_links_that_contradict_are_returned_and_left_apart() -> None:
    groups = Groups(4, [(0, 2)])
    assert groups.join_all([(0, 1), (1, 2), (2, 3)]) == [(1, 2)]
    assert groups.all().tolist() == [0, 0, 2, 2]
    assert groups.join_all([(1, 2)], whatever=True) == []
    assert groups.all().tolist() == [0, 0, 0, 0]


def test_the_inner_product_of_means_is_the_mean_cosine_of_all_pairs() -> None:
    vectors = made(6, 2, 1)
    groups = Groups(6)
    groups.join_all([(0, 1), (1, 2), (3, 4)])
    means = GroupMeans(vectors, groups).of(np.array([0, 3]))
    pairs = [float(vectors[a] @ vectors[b]) for a in (0, 1, 2) for b in (3, 4)]
    assert means[0] @ means[1] == pytest.approx(np.mean(pairs), abs=1e-6)
