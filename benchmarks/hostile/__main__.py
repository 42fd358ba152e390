"""What do the commands do with datasets and run folders that a stranger spoiled?

    python -m benchmarks.hostile [--sample [--together N]] [--seed 1] [--only TEXT] [--part K/N] [--after M]
        [--faults FILE]

A value that cannot be right is put into a field of a file of a sound dataset or run folder, and commands are run on it:
names that climb out, sizes of exabytes, links, pipes, tables of gigabytes. Prints one JSON line: how many fields, cases
and runs there were, and how often a command changed or read what lies outside, opened a socket, waited for ever, took
more than 60 s or 2 GiB, ended in a traceback or with another exit code, left a process behind, or did not say where the
fault is.
It takes all values of all fields, and all commands on each, which takes days; --part 7/1000 takes a thousandth of them,
and --sample a value of each field, several fields at a time, which takes minutes.
"""

import argparse
import json
import os
import random
import sys
import tempfile
from pathlib import Path

from benchmarks.hostile.campaign import TOGETHER, Case, Report, all_fields, cases_of, prepare, run_cases, sample_of
from benchmarks.hostile.child import LIMIT_S, freeze
from benchmarks.hostile.material import Place
from benchmarks.hostile.programs import load_everything


def main() -> None:
    """Run a campaign; exit with 1 where a command did wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", action="store_true", help="one value of each field, several fields at a time")
    parser.add_argument("--together", type=int, default=TOGETHER, help="fields of a case of a sample, %(default)s")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", help="only fields whose folder, file or name has this text")
    parser.add_argument("--part", default="1/1", help="K/N: only each Nth case, from the Kth on")
    parser.add_argument("--after", type=int, default=0, help="without the first so many of these, as they were run")
    parser.add_argument("--limit-s", type=float, default=LIMIT_S, help="end a command after so long")
    parser.add_argument("--faults", type=Path, help="file for the faults, one JSON object a line")
    parser.add_argument("--folder", type=Path, help="where the material is made, or was made before")
    parser.add_argument("--quiet", action="store_true")
    options = parser.parse_args()
    load_everything()
    freeze()
    with tempfile.TemporaryDirectory() as made:
        place = Place(folder=options.folder or Path(made) / "hostile")
        if not place.sound.exists():
            prepare(place)
        fields = all_fields(place)
        if options.only:
            fields = [
                one for one in fields if any(text in f"{one.root}/{one.file} {one.name}" for text in options.only)
            ]
        cases = sample_of(fields, options.seed, options.together) if options.sample else list(cases_of(fields))
        random.Random(options.seed).shuffle(cases)  # noqa: S311
        first, step = (int(part) for part in options.part.split("/"))
        cases = cases[first - 1 :: step][options.after :]
        with (options.faults or Path(os.devnull)).open("w", buffering=1) as log:
            told = [0]

            def say(case: Case, report: Report) -> None:
                log.writelines(f"{json.dumps(fault)}\n" for fault in report.faults[told[0] :])
                told[0] = len(report.faults)
                if not options.quiet:
                    line = f"{report.cases}/{len(cases)} cases, {report.runs} runs, {told[0]} faults: {case.label}"
                    print(line, file=sys.stderr)

            report = run_cases(place, cases, limit_s=options.limit_s, say=say)
    result = {
        "fields": len(fields),
        "cases": report.cases,
        "runs": report.runs,
        "refused": report.refused,
        "faults": report.counts(),
        "longest_s": round(report.longest_s, 1),
        "largest_mib": report.largest_mib,
        "not_put": len(report.not_put),
    }
    for line in report.not_put:
        print(line, file=sys.stderr)
    print(json.dumps(result))
    sys.exit(1 if report.faults else 0)


if __name__ == "__main__":
    main()
