"""Nearest neighbours among unit vectors, exact for few and approximate for many."""

import math
from typing import NamedTuple

import numpy as np

from foundation.array_types import Float32Array, Int64Array

__all__ = ["Neighbours", "nearest"]

_EXACT_AT_MOST = 20_000
"""Vectors up to which all pairs are compared: 20,000 of 128 numbers take a second of a core."""

_CELLS_PER_ROOT = 4
"""Cells per square root of the number of vectors, as faiss recommends for an inverted file."""

_PROBED_CELLS = 8
"""Cells that are looked into per query. Ours: on a million made descriptors, more find no other persons."""

_TRAINING_PER_CELL = 40
"""Vectors per cell from which the cells are learned; faiss warns below 39."""


class Neighbours(NamedTuple):
    """Nearest neighbours of M queries, the best first."""

    score: Float32Array
    """(M, K) inner products."""
    number: Int64Array
    """(M, K) numbers of the neighbours; -1 where there are fewer than K."""


def nearest(vectors: Float32Array, k: int, *, queries: Float32Array | None = None, threads: int) -> Neighbours:
    """Return for each query the k vectors of the largest inner product with it.

    Up to 20,000 vectors are all compared. More are put into cells (an inverted file of faiss), of which the nearest
    are searched, so that a neighbour may be missed; equal input gives equal results.

    Args:
        vectors: (N, D).
        k: neighbours of each query.
        queries: (M, D); None: the vectors themselves, which are then among their neighbours.
        threads: of faiss.
    """
    import faiss

    faiss.omp_set_num_threads(threads)
    n, dim = vectors.shape
    k = min(k, n)
    index: faiss.Index = faiss.IndexFlatIP(dim)
    if n > _EXACT_AT_MOST:
        cells = min(int(_CELLS_PER_ROOT * math.sqrt(n)), n // _TRAINING_PER_CELL)
        inverted = faiss.IndexIVFFlat(index, dim, cells, faiss.METRIC_INNER_PRODUCT)
        inverted.nprobe = _PROBED_CELLS
        inverted.cp.seed = 0
        inverted.cp.niter = 5
        some = np.random.default_rng(0).choice(n, min(n, _TRAINING_PER_CELL * cells), replace=False)
        inverted.train(vectors[np.sort(some)])
        index = inverted
    index.add(vectors)
    score, number = index.search(vectors if queries is None else queries, k)
    return Neighbours(score, number)
