"""The cases of a campaign, and what is wrong with how a command ended."""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

from benchmarks.hostile.child import Ended, run_apart
from benchmarks.hostile.commands import COMMANDS, Command
from benchmarks.hostile.fields import Field, fields_of
from benchmarks.hostile.files import files_of, journals_of
from benchmarks.hostile.judged import make_judged
from benchmarks.hostile.large_cells import large_cells_of
from benchmarks.hostile.material import DIFFUSION, VAE, Place, make_canaries, make_sources
from benchmarks.hostile.media import media_of, rated_of
from benchmarks.hostile.programs import main_of
from benchmarks.hostile.values import Value
from benchmarks.hostile.verdict import REASONS, Left, Outside, faults
from benchmarks.hostile.watch import Canaries

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "talking_astronaut.mp4"


def prepare(place: Place) -> None:
    """Make sources, sound material and canaries."""
    made = run_apart(partial(make_sources, place, SAMPLE), limited=False)
    _require(made, "the sources", (0,))
    place.made.mkdir(parents=True)
    by_name = {command.name: command for command in COMMANDS}
    steps = (
        by_name["run"],
        by_name["identities"],
        by_name["duplicates"],
        Command(name="split", program="gaia-curate", arguments=lambda p: ["split", p.dataset]),
        Command(name="vae", program="gaia-train", arguments=lambda p: ["vae", p.dataset, "--out", p.vae, *VAE]),
        by_name["latents"],
        Command(
            name="diffusion",
            program="gaia-train",
            arguments=lambda p: ["diffusion", p.dataset, "--vae", p.vae, "--out", p.motion, *DIFFUSION],
        ),
    )
    for step in steps:
        _require(run_apart(main_of(step, place), limited=False), step.name, step.ends)
    _require(run_apart(partial(make_judged, place), limited=False), "labels and ratings", (0,))
    place.made.rmdir()
    place.place.rename(place.sound)
    place.place.mkdir()
    make_canaries(place)


def _require(ended: Ended, what: str, codes: tuple[int, ...]) -> None:
    if ended.code not in codes:
        raise RuntimeError(f"{what} ended with {ended.code}:\n{ended.said}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """Values in fields, and the commands that meet them."""

    spoiled: tuple[tuple[Field, Value], ...]
    commands: tuple[Command, ...]

    @property
    def label(self) -> str:
        """The fields and what they hold, for people."""
        return ", ".join(f"{one.root}/{one.file} {one.name} = {value.kind}" for one, value in self.spoiled)

    def put(self, place: Place) -> int:
        """Put the values there."""
        for one, value in self.spoiled:
            one.put(place, value)
        return 0


@dataclass(slots=True)
class Report:
    """What a campaign found."""

    cases: int = 0
    runs: int = 0
    not_put: list[str] = field(default_factory=list)
    """Cases whose value the file cannot hold."""
    refused: int = 0
    """Runs that ended with another code than on the sound material."""
    faults: list[dict[str, object]] = field(default_factory=list)
    longest_s: float = 0.0
    largest_mib: int = 0

    def counts(self) -> dict[str, int]:
        """Return how often each fault was seen."""
        found = Counter(cast("str", one["fault"]) for one in self.faults)
        return {reason: found[reason] for reason in REASONS}


def all_fields(place: Place) -> list[Field]:
    """Return the fields, journals, files, media and large tables of the sound material."""
    found = [one for root in ROOTS for one in fields_of(place, root)] + list(journals_of(place))
    found += [one for root in ROOTS for one in files_of(place, root)]
    return [*found, *media_of(place), *rated_of(place), *large_cells_of(place)]


ROOTS = ("dataset", "vae", "motion", "judged", "outputs")
"""Folders of the sound material."""


def cases_of(fields: Sequence[Field]) -> Iterator[Case]:
    """Yield a case for each value of each field, with all commands that look at its folder."""
    for one in fields:
        commands = tuple(command for command in COMMANDS if one.root in command.reads)
        for value in one.values:
            yield Case(spoiled=((one, value),), commands=commands)


TOGETHER = 12
"""Fields that a case of a sample spoils at once, no more than a third of them in one file."""

_LARGE = 2
"""Fields of a sample that get a cell of gigabytes."""


def sample_of(fields: Sequence[Field], seed: int, together: int = TOGETHER) -> list[Case]:
    """Return a few cases in which each field has one value: the same for the same seed.

    Values of single fields are put several at a time, and meet two commands; what stands in the place of whole files
    meets one.
    """
    draw = random.Random(seed)  # noqa: S311
    drawn = [(one, draw.choice(one.values)) for one in fields]
    single = [pair for pair in drawn if not pair[0].whole]
    large = [pair for pair in drawn if "gigabytes" in pair[1].kind]
    whole = [pair for pair in drawn if pair[0].whole and pair not in large] + draw.sample(large, _LARGE)
    draw.shuffle(single)
    groups: list[list[tuple[Field, Value]]] = []
    for pair in single:
        group = next((one for one in groups if _fits(pair[0], [o for o, _ in one], together)), None)
        if group is None:
            groups.append([pair])
        else:
            group.append(pair)
    cases = []
    for number, group in enumerate([*groups, *([pair] for pair in whole)]):
        roots = {one.root for one, _ in group}
        fitting = [command for command in COMMANDS if roots & set(command.reads)]
        quick = [command for command in fitting if not command.slow]
        slow = [command for command in fitting if command.slow]
        chosen = draw.sample(quick, 2 if number < len(groups) else 1) if len(quick) > 1 else quick
        if slow and (number % 6 == 0 or not chosen or "dataset" not in roots):
            chosen = [*chosen, draw.choice(slow)]
        cases.append(Case(spoiled=tuple(group), commands=tuple(chosen)))
    return cases


def _fits(one: Field, others: Sequence[Field], together: int) -> bool:
    """Return whether a field can be spoiled together with others."""
    same = [other.name for other in others if (one.root, one.file) == (other.root, other.file)]
    within = any(one.name.startswith(name) or name.startswith(one.name) for name in same)
    return (
        len(others) < together and len(same) < max(together // 3, 1) and not within and "(all)" not in (one.name, *same)
    )


def run_cases(place: Place, cases: Iterable[Case], *, limit_s: float, say: Callable[[Case, Report], None]) -> Report:
    """Spoil the sound material in the way of each case, run its commands, and return what was wrong.

    Each command meets a copy of its own, unless those before it were refused or only read.
    """
    report = Report()
    canaries = Canaries(place.outside)
    for case in cases:
        report.cases += 1
        ready, before = False, frozenset[tuple[object, ...]]()
        for command in case.commands:
            if not ready or not command.only_reads:
                place.renew()
                put = run_apart(partial(case.put, place), limited=False)
                if put.code:
                    report.not_put.append(f"{case.label}: {put.said.strip().splitlines()[-1:]}")
                    break
                canaries.touched()
                ready, before = True, place.state()
            ended = run_apart(main_of(command, place), limit_s=limit_s)
            touched, changed = canaries.touched(), []
            if any(one.startswith("changed") for one in touched):
                changed = canaries.changed()
            left = Left(place.made_files(), place.state() != before)
            _note(report, case, command, ended, Outside(touched, changed), left)
            place.clear_made()
            ready = command.only_reads and not left.changed
            if changed:
                make_canaries(place)
                canaries.watch()
        say(case, report)
    return report


def _note(report: Report, case: Case, command: Command, ended: Ended, outside: Outside, left: Left) -> None:
    report.runs += 1
    report.refused += ended.code not in command.ends
    report.longest_s = max(report.longest_s, ended.seconds)
    report.largest_mib = max(report.largest_mib, ended.peak_bytes >> 20)
    for fault in faults(case.spoiled, command, ended, outside, left):
        seen = {
            "outside changed": outside.changed or outside.touched,
            "outside read": outside.touched,
            "socket opened": list(ended.sockets),
            "half made": left.made,
        }
        report.faults.append(
            {
                "fault": fault,
                "command": command.name,
                "case": case.label,
                "code": ended.code,
                "seconds": round(ended.seconds, 1),
                "mib": ended.peak_bytes >> 20,
                "seen": seen.get(fault, [])[:3],
                "at": _last_line_of_ours(ended.errors),
                "said": ended.errors.strip()[-300:],
            }
        )


def _last_line_of_ours(errors: str) -> str:
    """Return the innermost place of a traceback that is in the project."""
    found = re.findall(
        r'File "[^"]*/((?:foundation|manifests|curation|models|training|generation)/[^"]+)", line (\d+)', errors
    )
    return ":".join(found[-1]) if found else ""
