"""Teaching a network on stretches of which some are shifted or do not belong together, and whether it succeeded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from curation.perception.sync.fitting.contrastive import SHORTEST_TICKS, taught_network
from curation.perception.sync.fitting.ridge import LAGS, N_FOLDS, Alignment, aligned
from curation.perception.sync.fitting.stretches import SpokenStretch, folds_of
from curation.perception.sync.network import SyncNetwork, lag_scores
from foundation.array_types import BoolArray, Int64Array
from foundation.errors import UsageError
from manifests.sync_curve import SyncSums, pooled
from manifests.timeline import TICK_RATE_HZ

__all__ = ["Fit", "Progress", "UnfitDataError", "fit", "held_out_networks", "taught_on"]

_PASS_Z = 4.0
"""From this z on a file is in sync; the sound of another person reaches it in 1 % of clips."""

_LEAST_FILES = 10

_LEAST_S = 120.0
"""With two minutes a network tells another's sound with an AUC of 0.94 at 3 s; with 14, of 0.98."""

_LEAST_SHARE = 0.5
"""Of the files; where fewer pass, what was learnt is not the agreement of lips and sound."""

Progress = Callable[[int, int], None]
"""Is told how many networks are taught, of how many."""


class UnfitDataError(UsageError):
    """Nothing can be learnt from the stretches; the message says why."""


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Fit:
    """A network, and how it did on files that it had not seen."""

    network: SyncNetwork
    """Taught on all stretches that belong together."""
    n_stretches: int
    n_kept: int
    """Stretches that it was taught on; in the others lips and sound do not agree."""
    z_by_file: dict[str, float]
    """z of all stretches of a file together, by a network taught on other groups."""

    @property
    def share_in_sync(self) -> float:
        """Share of the files that are in sync by a network that has not seen them."""
        return float(np.mean([z >= _PASS_Z for z in self.z_by_file.values()]))


def fit(stretches: Sequence[SpokenStretch], on_network: Progress = lambda _done, _all: None) -> Fit:
    """Teach a network on stretches, and test it on what it has not seen.

    Args:
        stretches: of many files; shifted sound and sound of others may be among them.
        on_network: is told how far the teaching is.

    Raises:
        UnfitDataError: there is too little, or fewer than half of the files are in sync by cross-validation.
    """
    stretches = [one for one in stretches if len(one) >= SHORTEST_TICKS]
    files, seconds = len({one.file for one in stretches}), sum(map(len, stretches)) / float(TICK_RATE_HZ)
    if files < _LEAST_FILES or seconds < _LEAST_S:
        raise UnfitDataError(
            f"{files} files with {seconds:.0f} s of a face that speaks are too little: {_LEAST_FILES} files and "
            f"{_LEAST_S:.0f} s are the least, 600 s are better"
        )
    fold, alignment = folds_of(stretches, N_FOLDS), aligned(stretches)
    try:
        networks = held_out_networks(stretches, alignment, fold, lambda done, _all: on_network(done, N_FOLDS + 1))
        network = taught_on(stretches, alignment, np.ones(len(stretches), dtype=np.bool_))
    except ValueError as error:
        raise UnfitDataError(f"lips and sound hardly ever agree: {error}") from error
    on_network(N_FOLDS + 1, N_FOLDS + 1)
    found = Fit(
        network=network,
        n_stretches=len(stretches),
        n_kept=int(np.count_nonzero(alignment.kept)),
        z_by_file=_z_by_file(stretches, networks),
    )
    if found.share_in_sync < _LEAST_SHARE:
        raise UnfitDataError(
            f"lips and sound are in sync in {found.share_in_sync:.0%} of {files} files by cross-validation, and half "
            "of them is the least"
        )
    return found


def held_out_networks(
    stretches: Sequence[SpokenStretch],
    alignment: Alignment,
    fold: Int64Array,
    on_network: Progress = lambda _done, _all: None,
) -> list[SyncNetwork]:
    """Return, for each stretch, the network that was taught on the other folds.

    Args:
        stretches: N of them.
        alignment: of these.
        fold: (N,) fold of each.
        on_network: is told how far the teaching is.

    Raises:
        ValueError: the other folds have nothing to teach on.
    """
    networks: dict[int, SyncNetwork] = {}
    folds = np.unique(fold)
    for done, number in enumerate(folds, start=1):
        networks[int(number)] = taught_on(stretches, alignment, fold != number)
        on_network(done, len(folds))
    return [networks[int(number)] for number in fold]


def taught_on(stretches: Sequence[SpokenStretch], alignment: Alignment, chosen: BoolArray) -> SyncNetwork:
    """Return a network taught on those of the chosen stretches, (N,), whose lips and sound belong together.

    Raises:
        ValueError: none is left, or none is long enough.
    """
    used = np.flatnonzero(chosen & alignment.kept)
    return taught_network([stretches[i] for i in used.tolist()], alignment.offset[used])


def _z_by_file(stretches: Sequence[SpokenStretch], networks: Sequence[SyncNetwork]) -> dict[str, float]:
    """Return the z of all stretches of a file together; 0 where none has a score."""
    sums: dict[str, list[SyncSums]] = {}
    for one, network in zip(stretches, networks, strict=True):
        lips, sound = network.lip_vectors(one.lengths), network.sound_vectors(one.speech)
        sums.setdefault(one.file, []).append(SyncSums.of(lag_scores(lips, sound, LAGS)))
    curves = {file: pooled(own).curve() for file, own in sums.items()}
    return {file: 0.0 if curve is None else curve.z for file, curve in curves.items()}
