"""How well does the network tell own sound from others', and find moved sound, of people that it has not seen?

    python -m benchmarks.lip_sync.figures DATASET... [--cache FILE]

The datasets are what `gaia-curate run --preset embedded` makes of the folders `talk` and `clips` that `GAIA_SHARED`
holds. Five networks are taught, each without the people and repositories of a fold. Prints JSON lines: `auc` for crops
of real people whose sound is presumed to be theirs, `all`, and for those of them that the passes did not find unsynced,
`cleaned`; `moved`: sound of 5 s moved by a known time; `dubbed`: sound of another under whole stretches; `cost`:
processor seconds.
"""

import argparse
import json
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.lip_sync.crops import Vectors, curve_of, scored
from benchmarks.lip_sync.moved_sound import moved_errors
from benchmarks.lip_sync.shared_videos import shared_stretches, shared_videos
from curation.perception.sync.fitting.fit import held_out_networks
from curation.perception.sync.fitting.ridge import N_FOLDS, Alignment, aligned
from curation.perception.sync.fitting.stretches import SpokenStretch, folds_of
from curation.rules.sync import SyncSettings
from foundation.array_types import BoolArray, Int64Array

_CROP_S = (2, 3, 5, 8)

_LIMITS = (2.0, 2.25, 2.5, 2.75, 3.0, 3.25, 3.5, 4.0)

_N_DUBBED = 40

_DUBBED_TICKS = 125


def main() -> None:
    """Parse the arguments, teach by folds, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="*", type=Path)
    parser.add_argument("--cache", type=Path, help="keeps what was gathered")
    chosen = parser.parse_args()
    shared = Path(os.environ.get("GAIA_SHARED", "../shared"))
    stretches, known = shared_stretches(chosen.datasets, shared, chosen.cache), shared_videos(shared)
    started = time.process_time()
    fold, alignment = folds_of(stretches, N_FOLDS), aligned(stretches)
    passes_s, started = time.process_time() - started, time.process_time()
    taught = np.array([known[one.file].taught for one in stretches])
    networks = held_out_networks(stretches, replace(alignment, kept=alignment.kept & taught), fold)
    vectors = [
        (network.lip_vectors(one.lengths), network.sound_vectors(one.speech))
        for one, network in zip(stretches, networks, strict=True)
    ]
    _show("cost", passes_s=passes_s, teaching_s=(time.process_time() - started) / N_FOLDS)
    true = np.array([known[one.file].presumed_true for one in stretches])
    people = [known[one.file].people for one in stretches]
    _show(
        "data",
        minutes=sum(map(len, stretches)) / 1500,
        stretches=len(stretches),
        kept=int(alignment.kept.sum()),
        true=int(true.sum()),
        true_kept=int((true & alignment.kept).sum()),
        true_minutes=sum(len(one) for one, is_true in zip(stretches, true, strict=True) if is_true) / 1500,
        people=len(frozenset().union(*(people[i] for i in np.flatnonzero(true).tolist()))),
    )
    kept = true & alignment.kept
    for name, used in (("cleaned", kept), ("all", true)):
        _tell_apart(name, vectors, people, fold, alignment, used)
    _dub(vectors, people, fold, kept, stretches)
    rows = np.flatnonzero(kept).tolist()
    missed = np.abs(
        moved_errors([stretches[i] for i in rows], [networks[i] for i in rows], shared, 125, np.random.default_rng(0))
    )
    _show("moved", crops=len(missed), within_1=float((missed <= 1).mean()), median=float(np.median(missed)))


def _tell_apart(
    name: str,
    vectors: Sequence[Vectors],
    people: Sequence[frozenset[str]],
    fold: Int64Array,
    alignment: Alignment,
    used: BoolArray,
) -> None:
    """Print how well own sound is told from others' in the used stretches."""
    rows = np.flatnonzero(used).tolist()
    for seconds in _CROP_S:
        found = scored(
            [vectors[i] for i in rows], [people[i] for i in rows], fold[rows], seconds * 25, np.random.default_rng(0)
        )
        error = np.array(
            [
                curve.peak_lag - alignment.offset[rows[crop.stretch]]
                for crop, curve in zip(found.crops, found.own, strict=True)
            ]
        )
        _show(
            "auc",
            stretches=name,
            seconds=seconds,
            auc=found.auc(),
            at_5_percent=found.passing(0.05),
            at_1_percent=found.passing(0.01),
            own=len(found.own),
            others=len(found.others),
            offset_within_1=float((np.abs(error) <= 1).mean()),
            offset_within_2=float((np.abs(error) <= 2).mean()),
            z={str(z): found.above(z) for z in _LIMITS},
        )


def _dub(
    vectors: Sequence[Vectors],
    people: Sequence[frozenset[str]],
    fold: Int64Array,
    used: BoolArray,
    stretches: Sequence[SpokenStretch],
) -> None:
    """Print how many stretches under the sound of another are judged not in sync, and how many of their originals."""
    limits, rng = SyncSettings(), np.random.default_rng(0)
    long = [i for i in np.flatnonzero(used).tolist() if len(stretches[i]) >= _DUBBED_TICKS]
    pairs = [(i, j) for i in long for j in long if fold[i] == fold[j] and not people[i] & people[j]]
    dubbed, done, z_dubbed = 0, set[int](), []
    lost = seconds = 0.0
    for number in rng.permutation(len(pairs)).tolist():
        i, j = pairs[number]
        if i in done or len(done) == _N_DUBBED:
            continue
        done.add(i)
        n_ticks = min(len(stretches[i]), len(stretches[j]))
        z = curve_of(vectors[i], vectors[j], 0, 0, n_ticks)
        dubbed += _refuted(z.z, z.n_ticks, limits)
        z_dubbed.append(z.z)
        own = curve_of(vectors[i], vectors[i], 0, 0, len(stretches[i]))
        seconds += len(stretches[i]) / 25
        lost += len(stretches[i]) / 25 * _refuted(own.z, own.n_ticks, limits)
    _show("dubbed", stretches=len(done), found=dubbed, highest_z=sorted(z_dubbed)[-5:], seconds=seconds, lost_s=lost)


def _refuted(z: float, n_ticks: int, limits: SyncSettings) -> bool:
    """Return whether the rule says "not in sync"."""
    limit = limits.refuted_below(n_ticks)
    return limit is not None and z < limit


def _show(figure: str, **values: object) -> None:
    rounded = {name: round(value, 4) if isinstance(value, float) else value for name, value in values.items()}
    print(json.dumps({"figure": figure, **rounded}), flush=True)


if __name__ == "__main__":
    main()
