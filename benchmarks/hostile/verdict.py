"""What is wrong with how a command ended on material that a stranger spoiled."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.hostile.child import LIMIT_BYTES, LIMIT_S, Ended
from benchmarks.hostile.commands import Command
from benchmarks.hostile.fields import Field
from benchmarks.hostile.values import Value

__all__ = ["REASONS", "Left", "Outside", "Spoiled", "faults"]

Spoiled = Sequence[tuple[Field, Value]]
"""Fields, and the values that stand there."""

REASONS = (
    "outside changed",
    "outside read",
    "socket opened",
    "waits for ever",
    "over 60 s",
    "over 2 GiB",
    "traceback",
    "process left behind",
    "control character",
    "given folder changed",
    "half made",
    "exit code",
    "says not where",
    "more than a sentence",
    "not refused",
)
"""Everything that can be wrong."""

_CHECKED = ("video_id", "clip_id", "media", "mp4_offset", "mp4_size", "flac_offset", "flac_size", "mp4_sha256")
"""Columns whose hostile values `validate` has to report."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What a command did outside the folders that it was given."""

    touched: list[str]
    """Canaries that it opened, read or changed."""
    changed: list[str]
    """Those that are others now."""


@dataclass(frozen=True, slots=True)
class Left:
    """What a command left in the place of a case."""

    made: list[str]
    """Names in the folder of what is made anew."""
    changed: bool
    """Whether the folders that it was given are other than before."""


def faults(spoiled: Spoiled, command: Command, ended: Ended, outside: Outside, left: Left) -> list[str]:
    """Return the reasons of `REASONS` that hold."""
    found = []
    if outside.changed or any(one.startswith("changed") for one in outside.touched):
        found.append("outside changed")
    if any(not one.startswith("changed") for one in outside.touched) and not _may_be_read(spoiled, command):
        found.append("outside read")
    if ended.sockets:
        found.append("socket opened")
    if ended.cut_off == "waits":
        found.append("waits for ever")
    if ended.cut_off == "time" or ended.seconds > LIMIT_S:
        found.append("over 60 s")
    if ended.cut_off == "memory" or ended.peak_bytes > LIMIT_BYTES:
        found.append("over 2 GiB")
    if "Traceback (most recent call last)" in ended.said:
        found.append("traceback")
    if ended.orphans:
        found.append("process left behind")
    found += _of_left(command, ended, left)
    return found or _of_words(spoiled, command, ended)


def _of_left(command: Command, ended: Ended, left: Left) -> list[str]:
    """Return what is wrong with what it printed and left behind."""
    wrong = {
        "control character": not ended.said.replace("\n", "").isprintable(),
        "given folder changed": left.changed and command.only_reads,
        "half made": bool(left.made) and command.whole and ended.code != 0,
    }
    return [reason for reason, holds in wrong.items() if holds]


def _may_be_read(spoiled: Spoiled, command: Command) -> bool:
    """Return whether a field names a source video, and the command opens these, or a link is taken for the user's."""
    if command.reads_sources and any(one.name in ("path", "duplicate_of") for one, _ in spoiled):
        return True
    return any("link" in value.kind and _is_given(f"{one.root}/{one.file}", command) for one, value in spoiled)


def _is_given(place: str, command: Command) -> bool:
    return any(place == one or (one.endswith("/") and place.startswith(one)) for one in command.follows)


def _of_words(spoiled: Spoiled, command: Command, ended: Ended) -> list[str]:
    if ended.code not in (0, 1, 2, 3):
        return ["exit code"]
    if ended.code == 0:
        return ["not refused"] if command.name == "validate" and any(map(_is_checked, spoiled)) else []
    begin = f"{command.program}: "
    lines = ended.errors.splitlines()
    refusals = [number for number, line in enumerate(lines) if line.startswith(begin)]
    if command.name == "validate" and not refusals:
        return []  # it lists problems
    if not refusals:
        return [] if ended.code in command.ends else ["exit code"]
    sentence = "\n".join(lines[refusals[0] :])
    if command.refuses and command.refuses in sentence:
        return []  # as it does the sound material
    found = []
    if not any(word and word in sentence for one, _ in spoiled for word in _words(one)):
        found.append("says not where")
    if len(lines) > refusals[0] + 1:
        found.append("more than a sentence")
    return found


def _is_checked(pair: tuple[Field, Value]) -> bool:
    """Return whether `validate` has to report this value in this field."""
    field, value = pair
    return field.root == "dataset" and field.name in _CHECKED and value.leads_out


def _words(field: Field) -> list[str]:
    """Return what may stand for the place in a message: the file, its folder, or the field."""
    folder, _, last = field.file.rpartition("/")
    video = last.partition(".")[0]
    return [last, folder, video, *field.words, *(part for part in field.name.split(".") if not part.isdigit())]
