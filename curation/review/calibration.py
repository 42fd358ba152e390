"""Calibration: precision and recall of each rule by a person's labels, and the limits that meet a wanted precision.

A stretch is bad where it deserves to be dropped. Precision is the share of bad ones among those that a rule drops,
recall the share of dropped ones among the bad. The population is what the rule dropped first, and what is kept.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import yaml

from curation.review.criteria import Criterion
from curation.review.labels import Label, LabelsError, LabelsFile, read_labels
from curation.review.reviewed import Reviewed, read_reviewed
from curation.review.shares import Estimate, share
from curation.settings import CurationSettings, SettingsError, load_settings
from foundation.errors import UsageError
from foundation.json_text import json_text
from foundation.settings import setting_leaves, settings_of
from foundation.storage.atomic import write_bytes_atomic
from foundation.storage.locations import location
from foundation.text import shown, text_table
from manifests.packing.one_state import in_one_state

__all__ = ["CalibratedLimit", "Calibration", "calibrate"]

_DIGITS = range(1, 8)

_LEGEND = (
    "Precision: of what a rule drops, the share that deserves it. Recall: of what deserves it, the share that is "
    "dropped. In brackets, intervals of 95 %."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class CalibratedLimit:
    """What labels say of one limit."""

    rule: str
    tier: str
    setting: str | None
    limit: float | None
    n_labels: int
    covered: float
    """Share of the stretches that lie in strata with a label, 0 to 1; nothing is known of the others."""
    precision: Estimate | None
    """At today's limit; None without a label of a dropped stretch."""
    recall: Estimate | None
    """None without a label of a bad stretch."""
    new_limit: float | None
    """The limit of the largest recall that has the wanted precision, and of these of the largest precision; None: there
    is none."""
    new_precision: Estimate | None
    new_recall: Estimate | None
    note: str
    """Why there is no other limit; empty where there is one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """What labels say of all limits."""

    dataset: str
    """Folder or address of the dataset."""
    wanted_precision: float
    """Share of drops that shall be right."""
    draw: str
    """How the labelled samples were drawn."""
    limits: tuple[CalibratedLimit, ...]
    """What the labels say of each limit."""
    overrides: dict[str, float] = field(default_factory=dict)
    """Settings that change, by dotted name."""

    def json(self) -> str:
        """Return all figures as JSON."""
        return json_text(asdict(self), indent=2)

    def text(self) -> str:
        """Return a table for people to read."""
        rows = [
            [
                f"{one.rule}, {one.tier}",
                str(one.n_labels),
                "-" if one.limit is None else f"{one.limit:g}",
                "-" if one.precision is None else one.precision.text(),
                "-" if one.recall is None else one.recall.text(),
                one.note if one.new_limit is None else f"{one.new_limit:g}",
                "" if one.new_precision is None else one.new_precision.text(),
                "" if one.new_recall is None else one.new_recall.text(),
            ]
            for one in self.limits
        ]
        wanted = f"{100 * self.wanted_precision:g} %"
        header = ["rule, tier", "labels", "limit", "precision", "recall", f"limit for {wanted}", "precision", "recall"]
        lines = [
            _LEGEND,
            text_table(header, rows, numeric=[False, *[True] * 4, False, True, True]),
        ]
        partly = [one for one in self.limits if one.covered < 0.999]
        if partly:
            names = ", ".join(f"{one.rule}, {one.tier} ({100 * one.covered:.0f} %)" for one in partly)
            lines.append(f"The labels leave out strata of {names}: that share of the stretches is what they speak for.")
        if self.draw == "nearest":
            lines.append(
                "The labels are of samples nearest to the limits, not of a random draw: label a sheet of "
                "`gaia-curate label-sheet` to estimate shares of the dataset."
            )
        return shown("\n".join(lines), several_lines=True)


def calibrate(
    dataset: str | Path, labels: str | Path, *, precision: float = 0.95, out: str | Path | None = None
) -> Calibration:
    """Compare the rules of a dataset with a person's labels.

    Args:
        dataset: that the labelled page is of.
        labels: JSON file that the page saved.
        precision: wanted share of what a rule drops that deserves it, above 0 and up to 1.
        out: YAML file of the limits that meet it, which `gaia-curate decide --config` takes; None: none is written.

    Raises:
        LabelsError: the file is no file of labels, or is of another dataset, of other limits or of an unknown rule.
        UsageError: `precision` is out of range.
        DatasetError: `dataset` is no dataset, or is damaged.
        OSError: the file cannot be written.
    """
    if not 0.0 < precision <= 1.0:
        raise UsageError(f"the wanted precision is {precision}; give a share above 0 and up to 1, such as 0.95")
    folder, path = location(dataset), Path(labels)
    given = read_labels(path)
    reviewed = in_one_state(folder, lambda counted: read_reviewed(folder, counted))
    _require_own(path, given, reviewed)
    criteria = {criterion.key: criterion for criterion in reviewed.criteria}
    own: dict[str, list[Label]] = {key: [] for key in criteria}
    for label in given.labels:
        own[label.criterion].append(label)
    limits = [
        _calibrated(criteria[key], found, given, precision, reviewed.settings) for key, found in own.items() if found
    ]
    limits, overrides = _allowed(limits, reviewed.settings)
    calibration = Calibration(
        dataset=str(reviewed.dataset.path), wanted_precision=precision, draw=given.draw, limits=tuple(limits),
        overrides=overrides,
    )  # fmt: skip
    if out is not None:
        write_bytes_atomic(Path(out), _config(overrides, path, precision).encode())
    return calibration


def _require_own(path: Path, given: LabelsFile, reviewed: Reviewed) -> None:
    """Refuse labels of another dataset, or of other limits.

    Raises:
        LabelsError: they are.
    """
    if not given.labels:
        raise LabelsError(f"{path} holds no label; mark samples of the page as right or wrong, and save them again")
    videos = {row.video_id for row in reviewed.rows}
    foreign = next((label.video_id for label in given.labels if label.video_id not in videos), None)
    if foreign is not None:
        raise LabelsError(
            f"{path} has labels of video {foreign!r}, which {reviewed.dataset.path} does not have: they are of another "
            f"dataset, called {given.dataset!r}"
        )
    known = {criterion.key for criterion in reviewed.criteria}
    for label in given.labels:
        if label.criterion not in known:
            raise LabelsError(
                f"{path} has labels for {label.criterion!r}, which is no rule and tier of {reviewed.dataset.path}; "
                f"those are {', '.join(sorted(known))}"
            )
        if given.criteria.get(label.criterion) is None or not given.criteria[label.criterion].strata.get(label.stratum):
            raise LabelsError(f"{path} does not tell how many stretches {label.criterion!r} has of {label.stratum!r}")
    if given.identity != reviewed.identity:
        raise LabelsError(
            f"{path} was made under other limits than those of {reviewed.dataset.path}; give the dataset that the page "
            "is of, or label a page of this one"
        )


def _calibrated(
    criterion: Criterion, labels: Sequence[Label], given: LabelsFile, wanted: float, settings: CurationSettings
) -> CalibratedLimit:
    strata = given.criteria[criterion.key].strata
    labelled = Counter(label.stratum for label in labels)
    weights = [strata[label.stratum] / labelled[label.stratum] for label in labels]
    total = sum(strata.values())
    today = _rates(labels, weights, [label.dropped for label in labels])
    result = CalibratedLimit(
        rule=criterion.rule,
        tier=criterion.tier,
        setting=criterion.setting,
        limit=criterion.limit,
        n_labels=len(labels),
        covered=sum(n for name, n in strata.items() if name in labelled) / total,
        precision=today[0],
        recall=today[1],
        new_limit=None,
        new_precision=None,
        new_recall=None,
        note="",
    )
    if not criterion.adjustable or criterion.setting is None or criterion.limit is None:
        return replace(result, note="not one number")
    whole = isinstance(dict(setting_leaves(settings_of(settings)))[criterion.setting], int)
    best: tuple[tuple[float, float, float], float, tuple[Estimate | None, Estimate | None]] | None = None
    for limit in _candidates(criterion, labels, whole=whole):
        rates = today if limit == criterion.limit else _rates(labels, weights, _dropped_at(criterion, labels, limit))
        if rates[0] is not None and rates[0].value >= wanted:
            recall = rates[1].value if rates[1] is not None else 0.0
            rank = recall, rates[0].value, -abs(limit - criterion.limit)
            best = (rank, limit, rates) if best is None or rank > best[0] else best
    if best is None:
        return replace(result, note="none reaches it")
    return replace(result, new_limit=best[1], new_precision=best[2][0], new_recall=best[2][1])


def _rates(
    labels: Sequence[Label], weights: Sequence[float], dropped: Sequence[bool]
) -> tuple[Estimate | None, Estimate | None]:
    """Return precision and recall where these stretches are dropped; None without a stretch to tell it from."""
    rows = list(zip(labels, weights, dropped, strict=True))
    gone = [(label.bad, weight) for label, weight, is_dropped in rows if is_dropped]
    bad = [(is_dropped, weight) for label, weight, is_dropped in rows if label.bad]
    return _share(gone), _share(bad)


def _share(members: Sequence[tuple[bool, float]]) -> Estimate | None:
    return share([hit for hit, _ in members], [weight for _, weight in members]) if members else None


def _dropped_at(criterion: Criterion, labels: Sequence[Label], limit: float) -> list[bool]:
    """Return which stretches are dropped at a limit; those without a value stay as they are."""
    return [label.dropped if label.value is None else criterion.drops(label.value, limit) for label in labels]


def _candidates(criterion: Criterion, labels: Sequence[Label], *, whole: bool) -> list[float]:
    """Return limits that divide the labelled values differently, today's among them."""
    values = sorted({label.value for label in labels if label.value is not None})
    found = [] if criterion.limit is None else [criterion.limit]
    for low, high in pairwise(values):
        if criterion.limit is not None and low <= criterion.limit <= high:
            continue
        limit = _round_between(low, high)
        if whole:
            limit = float(math.floor(limit)) if criterion.at_most else float(math.ceil(limit))
        found.append(limit)
    return found


def _round_between(low: float, high: float) -> float:
    """Return the number of the fewest digits near the middle of two.

    >>> _round_between(35.2, 36.9)
    36.0
    """
    middle = (low + high) / 2
    for digits in _DIGITS:
        rounded = float(f"{middle:.{digits}g}")
        if low < rounded < high:
            return rounded
    return middle


def _allowed(
    limits: Sequence[CalibratedLimit], settings: CurationSettings
) -> tuple[list[CalibratedLimit], dict[str, float]]:
    """Return the limits and the settings that change, without those that the settings of a rule do not allow."""
    overrides: dict[str, float] = {}
    kept = []
    for one in limits:
        if one.setting is None or one.new_limit is None or one.new_limit == one.limit:
            kept.append(one)
            continue
        value = int(one.new_limit) if one.new_limit.is_integer() else one.new_limit
        try:
            load_settings(settings, overrides={**overrides, one.setting: value})
        except SettingsError:
            kept.append(replace(one, new_limit=None, new_precision=None, new_recall=None, note="not allowed"))
        else:
            overrides[one.setting] = value
            kept.append(one)
    return kept, overrides


def _config(overrides: dict[str, float], labels: Path, precision: float) -> str:
    nested: dict[str, dict[str, dict[str, float]]] = {}
    for name, value in overrides.items():
        group, rule, setting = name.split(".")
        nested.setdefault(group, {}).setdefault(rule, {})[setting] = value
    about = shown(f"Limits of a precision of {precision:g} by the labels in {labels.name}.")
    return f"# {about}\n{yaml.safe_dump(nested, sort_keys=False) if nested else '{}'}\n".replace("\n\n", "\n")
