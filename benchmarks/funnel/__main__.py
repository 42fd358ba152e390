"""How much faster is one build of the project than another on raw footage, and is what it writes the same?

    python -m benchmarks.funnel FIRST SECOND [--mix raw|kept|quiet] [--minutes 5] [--workers 1] [--turns 1]
        [--set NAME=VALUE] [--set-second tiers=[diffusion] --tier diffusion] [--loop-s 10] [--cache FOLDER]

FIRST and SECOND are checkouts, the build before and the one after. Their `gaia-curate run` with preset `embedded` goes
over the same films in turn, each in processes of its own. The films are made of `clips` and `talk` in $GAIA_SHARED
(../shared): `raw`, 20 minutes of cartoons, slides, two people side by side, small and turned faces, silence and talk,
of which 14 % are kept; `kept`, 3 minutes of talk; `quiet`, 5 minutes of which 80 % are without speech. They are written
once into the cache and used again. One JSON line comes for each run, and a last one for the whole: the ratio of
processor times, the clips whose rows or media differ (the place in a tar left out), and what a plain loop that runs
dlib's face detector and landmarks on every frame would take, from the first --loop-s seconds of each film.
"""

import argparse
import dataclasses
import functools
import json
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.checkout import ROOT
from benchmarks.funnel.commands import Checkout, Cost, run_command
from benchmarks.funnel.datasets import compared, kept_s, phases_s
from benchmarks.funnel.films import make_mix
from benchmarks.funnel.recipe import MIXES


def plain_loop_s(source: Path, seconds: float) -> dict[str, float]:
    """Return the processor time of the plain loop over all frames of a folder, from the beginning of each video.

    Args:
        source: folder of videos.
        seconds: of each video that are looked at.
    """
    from benchmarks.curation.analyze import timed
    from benchmarks.curation.straightforward_loops import dlib_loop
    from curation.media.probe import probe
    from foundation.weights import ensure_assets
    from manifests.timeline import TICK_RATE_HZ

    ensure_assets(["dlib_shape_predictor_68"])
    infos = [probe(path) for path in sorted(source.glob("*.mp4"))]
    clips = [(info, min(info.n_ticks, round(seconds * TICK_RATE_HZ))) for info in infos]
    spent_s = timed(functools.partial(dlib_loop), clips, 1).cpu_s
    whole_s = sum(spent * info.n_ticks / ticks for spent, (info, ticks) in zip(spent_s, clips, strict=True))
    return {"cpu_s": round(whole_s, 1), "looked_at_s": round(sum(ticks for _, ticks in clips) / float(TICK_RATE_HZ), 1)}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=Path, nargs="?", help="checkout of the build before")
    parser.add_argument("second", type=Path, nargs="?", help="checkout of the build after")
    parser.add_argument("--mix", choices=list(MIXES), default="raw")
    parser.add_argument("--minutes", type=float, help="only the beginning of the mix")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--turns", type=int, default=1, help="runs of each checkout")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="overrides")
    parser.add_argument("--set-first", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--set-second", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--tier", choices=["diffusion", "vae"], help="compare clips of this tier alone")
    parser.add_argument("--loop-s", type=float, default=0.0, help="seconds of each film for the plain loop; 0: none")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir(), "gaia-funnel"))
    parser.add_argument("--keep", type=Path, help="folder in which the datasets of the last turn stay")
    return parser.parse_args()


def main() -> int:
    """Measure and print; return 1 where clips differ."""
    arguments = _arguments()
    shared = Path(os.environ.get("GAIA_SHARED", ROOT.parent / "shared"))
    source = make_mix(arguments.mix, arguments.minutes, shared, arguments.cache)
    checkouts = [
        Checkout(path=path.resolve(), overrides=tuple(overrides))
        for path, overrides in ((arguments.first, arguments.set_first), (arguments.second, arguments.set_second))
        if path is not None
    ]
    for checkout in checkouts:
        checkout.check()
    costs: list[list[Cost]] = [[] for _ in checkouts]
    report: dict[str, object] = {"mix": arguments.mix, "workers": arguments.workers, "folder": str(source)}
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        datasets = [folder / name for name in ("first", "second")[: len(checkouts)]]
        for turn in range(arguments.turns):
            for number in range(len(checkouts)) if turn % 2 == 0 else reversed(range(len(checkouts))):
                shutil.rmtree(datasets[number], ignore_errors=True)
                cost = run_command(checkouts[number], source, datasets[number], arguments.workers, arguments.overrides)
                costs[number].append(cost)
                line = {"build": datasets[number].name, "commit": checkouts[number].commit()}
                line |= {name: round(value, 1) for name, value in dataclasses.asdict(cost).items()}
                print(json.dumps({**line, **phases_s(datasets[number])}), flush=True)
        if datasets:
            report["kept_s"] = kept_s(datasets[0])
        if len(datasets) == 2:
            cpu_s = [statistics.median(cost.cpu_s for cost in of) for of in costs]
            report |= {"cpu_s": [round(one, 1) for one in cpu_s], "times": round(cpu_s[0] / cpu_s[1], 2)}
            difference = compared(datasets[0], datasets[1], arguments.tier)
            report |= {**dataclasses.asdict(difference), "differing": difference.differing}
    if arguments.loop_s:
        report["plain_loop"] = plain_loop_s(source, arguments.loop_s)
    print(json.dumps(report))
    return int(bool(report.get("differing")))


if __name__ == "__main__":
    sys.exit(main())
