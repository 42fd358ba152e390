"""README.md: what a dataset is, where it comes from, what its filters dropped of whom, and what it is not for."""

from collections.abc import Sequence

from foundation.text import count_text, duration_text, shown, time_unit
from manifests.card.facts import CardFacts
from manifests.card.hugging_face import front_matter
from manifests.card.own_files import sealed
from manifests.reports.group_rows import GroupStatistics
from manifests.reports.statistics import Statistics
from manifests.reports.unlike_groups import LEAST_UNITS
from manifests.vocabulary import TIERS

__all__ = ["readme"]

_MARKUP = str.maketrans({sign: f"\\{sign}" for sign in "\\|`*_[]<>#"})


def readme(facts: CardFacts) -> bytes:
    """Return the content of README.md: metadata for programs, and sections for people."""
    sections = [
        _summary(facts),
        _reading(facts),
        _sources(facts),
        _making(facts),
        _drops(facts),
        *(_group(group) for group in facts.groups),
        _use(facts),
        _limits(facts),
    ]
    return sealed(f"{front_matter(facts)}\n<!-- ", f" -->\n\n# {_cell(facts.name)}\n\n" + "\n\n".join(sections) + "\n")


def _summary(facts: CardFacts) -> str:
    totals, statistics = facts.record.totals, facts.statistics
    kept = ", ".join(f"{duration_text(totals.hours_kept[tier] * 3600)} in tier {tier}" for tier in TIERS)
    splits = ", ".join(f"{name} {n:,}" for name, n in facts.splits.items()) or "none"
    rows = [
        ["source videos", f"{totals.videos:,}, {duration_text(totals.hours_raw * 3600)}"],
        ["clips", f"{totals.clips:,}: {kept}; tier vae includes the diffusion clips"],
        ["splits, in clips", splits],
        ["speakers named by the sources", f"{statistics.total.speakers_kept:,} with clips"],
        *([["generated", _generated(statistics)]] if statistics.generated else []),
        ["landmarks", ", ".join(facts.schemes) or "-"],
        ["languages", ", ".join(f"{_cell(name)} {n:,}" for name, n in facts.languages.items()) or "not recorded"],
    ]
    text = (
        "Clips of people talking, cut out of longer videos: 256 x 256 px at 25 frames a second, sound of 16 kHz, with "
        "landmarks, head pose and speech features tick by tick, and a record of what became of every second that is "
        "not in a clip. Nobody is in two splits, as far as speakers or persons are known."
    )
    return f"{text}\n\n{_table(['', 'this dataset'], rows)}"


def _generated(statistics: Statistics) -> str:
    videos = count_text(statistics.generated, "source video by its", "source videos by their")
    return f"{videos} own tags or mark, {statistics.generated_dropped:,} of them dropped"


def _reading(facts: CardFacts) -> str:
    if not facts.splits:
        return "## Read it\n\nThe dataset has no clips."
    first = next(iter(facts.splits))
    lines = [
        "from datasets import load_dataset",
        "",
        f'clips = load_dataset("path/to/this/folder", "{first}")["{first}"]   # rows of split {first}, arrays included',
        'every = load_dataset("path/to/this/folder", "clips")["clips"]',
        'why = load_dataset("path/to/this/folder", "spans")["spans"]   # what became of every second',
    ]
    tables = [
        [f"`{name}/*.parquet`", stored.table.meaning.replace("|", "\\|")] for name, stored in facts.tables.items()
    ]
    tables.append(["`media/*.tar`", "`<clip_id>.mp4`, `.flac` and `.json`; `clips` has the byte range of each"])
    tables.append(["`croissant.json`", "the same tables for `mlcroissant`, arrays with their shapes"])
    code = "\n".join(lines)
    shards = (
        "The tars are WebDataset shards with clips of all splits; `split` in the table `clips` tells which a clip is "
        "in. Clips without sound lie in tars of their own, `*mute*`."
    )
    return f"## Read it\n\n```python\n{code}\n```\n\n{shards}\n\n{_table(['files', 'content'], tables)}"


def _sources(facts: CardFacts) -> str:
    if not facts.licences:
        return "## Sources, licences and consent\n\nNo source has clips."
    unit = time_unit(sum(row.kept_s for row in facts.licences))
    rows = [
        [
            _cell(row.source),
            "**not stated**" if row.licence is None else _cell(row.licence),
            f"{row.clips:,}",
            unit.text(row.kept_s),
            f"{row.consenting:,}",
            f"{row.refused:,}",
            f"{row.clips - row.consenting - row.refused:,}",
        ]
        for row in facts.licences
    ]
    header = ["source", "licence", "clips", unit.name, "consent recorded", "stated as none", "not recorded"]
    silent = sum(row.clips for row in facts.licences if row.licence is None)
    lacking = sum(row.clips - row.consenting for row in facts.licences)
    notes = []
    if silent:
        notes.append(f"No licence is recorded for {count_text(silent, 'clip')}: find out before you pass them on.")
    if lacking:
        notes.append(f"No consent of the person shown is recorded for {count_text(lacking, 'clip')}.")
    told = (
        "Licence and consent are what the lists or annotations of the sources state of each video; nothing of it was "
        "verified. Consent is counted in clips."
    )
    return "\n\n".join(["## Sources, licences and consent", told, _table(header, rows), *notes])


def _making(facts: CardFacts) -> str:
    record = facts.record
    rows = [
        [
            _cell(weight.name),
            weight.role,
            _cell(weight.licence),
            {True: "yes", False: "no", None: "not known"}[weight.commercial_use],
        ]
        for weight in record.weights
    ]
    text = (
        f"Made with {_cell(record.software)} {_cell(record.software_version)}, preset {_cell(record.preset)}. "
        "`dataset.json` has all settings, the digests of the weights, and unit and meaning of each column."
    )
    parts = ["## How it was made", text]
    if rows:
        parts.append(_table(["weights", "role", "licence", "commercial use"], rows))
    return "\n\n".join(parts)


def _drops(facts: CardFacts) -> str:
    drops = facts.statistics.drops
    unit = time_unit(facts.statistics.total.raw_s)
    rows = [[row.tier, _cell(row.outcome), unit.text(row.seconds), f"{row.share:.1%}"] for row in drops]
    table = _table(["tier", "dropped as", unit.name, "share of all"], rows) if rows else "Nothing was dropped."
    parts = ["## What the filters dropped", table]
    if not facts.groups:
        parts.append(
            "Age, gender, skin type and language of the people are not recorded, so it is **not known** whether the "
            "filters drop more of some people than of others."
        )
    return "\n\n".join(parts)


def _group(group: GroupStatistics) -> str:
    unit = time_unit(max((sum(row.offered_s[tier] for row in group.groups) for tier in TIERS), default=0.0))
    rows = []
    for row in group.groups:
        cells = ["not recorded" if row.group is None else _cell(row.group), f"{row.videos:,}", f"{row.units:,}"]
        for tier in TIERS:
            share = row.dropped[tier]
            between = "" if share is None or share.low is None else f" ({share.low:.0%} to {share.high:.0%})"
            cells += [unit.text(row.kept_s[tier]), "-" if share is None else f"{share.share:.0%}{between}"]
        rows.append(cells)
    header = [group.by, "videos", "people"]
    for tier in TIERS:
        header += [f"{unit.name} kept, {tier}", "dropped"]
    unlike = [row for row in group.rules if row.unlike]
    if unlike:
        lines = [
            f"- {row.rule}, tier {row.tier}: "
            + ", ".join(f"{_cell(name)} {share:.0%}" for name, share in row.shares.items())
            + ("" if row.chance_within_sources is None else _within(row.chance_within_sources))
            for row in unlike
        ]
        verdict = "These rules drop unlike shares, by more than chance:\n\n" + "\n".join(lines)
    elif group.rules:
        verdict = f"No rule drops unlike shares by more than chance ({len(group.rules)} comparisons, after Holm)."
    else:
        verdict = f"Too few people to compare rules: that takes two groups of at least {LEAST_UNITS}."
    return f"### By {group.by}\n\n{_table(header, rows)}\n\nIn brackets: 95 % interval over people. {verdict}"


def _within(chance: float) -> str:
    return "; within the same source too" if chance <= 0.05 else "; not shown within the same source"


def _use(facts: CardFacts) -> str:
    terms = "" if facts.licences else " It has no clips yet."
    return (
        "## Intended use\n\nTraining and evaluation of models that animate a portrait by speech, and research on "
        f"selecting such data.{terms} Tier `diffusion` is for models of motion and sound, both tiers are for models of "
        "pictures. Not intended: recognising or tracking people, guessing age, gender, origin or health from faces, "
        "imitating a person who has not agreed to it, and surveillance of any kind."
    )


def _limits(facts: CardFacts) -> str:
    descriptors = (
        "It holds descriptors by which faces can be recognised (`clips.identity`, `frames.descriptor`): biometric "
        "data in most places. `gaia-curate` leaves them out with `privacy.keep_descriptors=false`."
        if facts.has_descriptors
        else "It holds no descriptors of faces or voices."
    )
    points = (
        (
            "Every clip shows a face and most hold a voice: the data are of people, who may ask to be removed "
            "(`gaia-curate forget`). A copy of the dataset does not learn of that."
        ),
        descriptors,
        (
            "Clips were selected for frontal, steady, well-lit, speaking faces. Models that learn from them see little "
            "else, and the rules may drop some people more often than others."
        ),
        "Landmarks, poses, and whether lips and sound fit are measured by networks, not by people.",
        "Labels such as age and gender are what the sources state; they were not checked.",
        "Figures on this page are of the day it was written: `gaia-curate card` writes it anew.",
    )
    return "\n".join(["## Limits", "", *(f"- {point}" for point in points)])


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cell(text: str) -> str:
    """Return text of a dataset as Markdown shows it: without control characters, markup escaped."""
    return shown(text).translate(_MARKUP)
