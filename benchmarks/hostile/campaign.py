"""The cases of a campaign, and what is wrong with how a command ended."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from benchmarks.hostile.child import Ended, run_apart
from benchmarks.hostile.commands import COMMANDS, Command, main_of
from benchmarks.hostile.fields import Field, fields_of
from benchmarks.hostile.files import bombs_of, files_of, journals_of, media_of
from benchmarks.hostile.material import DIFFUSION, VAE, Place, make_canaries, make_sources
from benchmarks.hostile.values import Value
from benchmarks.hostile.verdict import REASONS, faults
from benchmarks.hostile.watch import Canaries

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "talking_astronaut.mp4"


def prepare(place: Place) -> None:
    """Make sources, sound material and canaries."""
    made = run_apart(lambda: make_sources(place, SAMPLE) or 0, limited=False)
    _require(made, "the sources", (0,))
    place.made.mkdir(parents=True)
    by_name = {command.name: command for command in COMMANDS}
    steps = (
        by_name["run"],
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
    place.made.rmdir()
    place.place.rename(place.sound)
    place.place.mkdir()
    make_canaries(place)


def _require(ended: Ended, what: str, codes: tuple[int, ...]) -> None:
    if ended.code not in codes:
        raise RuntimeError(f"{what} ended with {ended.code}:\n{ended.said}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A value in a field, and the commands that meet it."""

    field: Field
    value: Value
    commands: tuple[Command, ...]


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
    """Return the fields, files, journals, media and large tables of the sound material."""
    roots = ("dataset", "vae", "motion")
    found = [one for root in roots for one in (*fields_of(place, root), *files_of(place, root))]
    return [*found, *journals_of(place), *media_of(place), *bombs_of(place)]


def cases_of(fields: Sequence[Field], *, n_values: int | None, n_commands: int | None, seed: int) -> list[Case]:
    """Choose values and commands; None: all of them. The same seed gives the same ones.

    A field's first values are the worst. Where not all are taken, they are drawn, and the first ones more often.
    """
    cases = []
    for number, one in enumerate(fields):
        draw = random.Random(f"{seed} {one.root} {one.file.partition('/')[0]} {one.name}")
        values = list(one.values)
        if n_values is not None and len(values) > n_values:
            values = draw.sample(values, n_values)
        fitting = [command for command in COMMANDS if one.root in command.reads]
        for value in values:
            chosen = fitting
            if n_commands is not None:
                quick = [command for command in fitting if not command.slow]
                slow = [command for command in fitting if command.slow]
                first = draw.sample(quick, min(n_commands, len(quick))) if quick else []
                chosen = first + (draw.sample(slow, 1) if slow and (not first or number % 6 == 0) else [])
            cases.append(Case(field=one, value=value, commands=tuple(chosen)))
    return cases


def run_cases(place: Place, cases: Iterable[Case], *, limit_s: float, say: Callable[[Case, Report], None]) -> Report:
    """Spoil the sound material in the way of each case, run its commands, and return what was wrong.

    Each command meets a copy of its own, unless those before it were refused or only read.
    """
    report = Report()
    canaries = Canaries(place.outside)
    for case in cases:
        report.cases += 1
        ready = False
        for command in case.commands:
            if not ready or command.name not in READERS:
                place.renew()
                put = run_apart(lambda case=case: case.field.put(place, case.value) or 0, limited=False)  # type: ignore[misc]
                if put.code:
                    report.not_put.append(f"{label_of(case)}: {put.said.strip().splitlines()[-1:]}")
                    break
                canaries.touched()
                ready = True
            ended = run_apart(main_of(command, place), limit_s=limit_s)
            ready = ready and command.name in READERS
            touched, changed = canaries.touched(), []
            if any(one.startswith("changed") for one in touched):
                changed = canaries.changed()
            _note(report, case, command, ended, touched, changed)
            if changed:
                make_canaries(place)
                canaries.watch()
        say(case, report)
    return report


READERS = frozenset({"explain", "explain a second", "stats", "stats --sql", "validate", "Dataset", "forget nothing"})
"""Commands that change nothing in the folders that they are given."""


def label_of(case: Case) -> str:
    return f"{case.field.root}/{case.field.file} {case.field.name} = {case.value.kind}"


def _note(
    report: Report, case: Case, command: Command, ended: Ended, touched: list[str], changed: list[str]
) -> None:
    report.runs += 1
    report.refused += ended.code not in command.ends
    report.longest_s = max(report.longest_s, ended.seconds)
    report.largest_mib = max(report.largest_mib, ended.peak_bytes >> 20)
    for fault in faults(case.field, case.value, command, ended, touched, changed):
        seen = {"outside changed": changed or touched, "outside read": touched, "socket opened": list(ended.sockets)}
        report.faults.append(
            {
                "fault": fault,
                "command": command.name,
                "root": case.field.root,
                "file": case.field.file,
                "field": case.field.name,
                "value": case.value.kind,
                "code": ended.code,
                "seconds": round(ended.seconds, 1),
                "mib": ended.peak_bytes >> 20,
                "seen": seen.get(fault, [])[:3],
                "said": ended.errors.strip()[-400:],
            }
        )
