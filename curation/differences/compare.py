"""Comparison of two datasets, or of one with itself under other settings. Nothing is written, and no model runs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from curation.decision.decide import Decision, decide
from curation.decision.grid import UnmeasuredError
from curation.differences.changes import changes_of
from curation.differences.found import ChangedVideo, Differences, OnlyThere, Side
from curation.differences.told_spans import TOLD_COLUMNS, ToldVideo, told_by_table
from curation.evidence.measures import Evidence
from curation.operations.read_evidence import curated_of, evidence_of_videos
from curation.output.folder import DatasetFolder
from curation.output.ledger import VideoRecord
from curation.output.recorded_rules import require_same_rules
from curation.rules.rule import Rule
from curation.settings import CurationSettings, differences, equally_measured, load_settings
from foundation.errors import UsageError
from foundation.settings import Overrides
from foundation.storage.locations import location
from manifests.errors import DatasetError
from manifests.files.tables import read_table
from manifests.packing.one_state import counted_rows, in_one_state
from manifests.timeline import TICK_RATE_HZ
from manifests.vocabulary import TIERS

__all__ = ["compare"]

_NO_CHANGE = "give a second dataset, or changes of the settings with --set or --config; one of them, not both"


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class _Told:
    """A dataset, read once."""

    folder: DatasetFolder
    originals: Mapping[str, VideoRecord]
    """By id, all videos but copies of others."""
    told: Mapping[str, ToldVideo]
    """By id, what became of the videos that were measured."""


def compare(
    first: str | Path,
    second: str | Path | None = None,
    file: str | Path | None = None,
    overrides: Overrides = (),
    *,
    rules: Sequence[Rule] = (),
) -> Differences:
    """Return what `second` keeps and `first` does not, and the other way round; why; and of which videos.

    Videos are the same where their content is, whatever their names. In place of a second dataset, changes of settings
    compare the first with itself as `gaia-curate decide` would decide it.

    Args:
        first: a dataset.
        second: another one; None: the first with changed settings.
        file: YAML file of settings.
        overrides: changes of settings, ``dotted.name=value`` or a mapping from the dotted name to the value.
        rules: rules of the user's own, with which the first was made; needed for changed settings only.

    Raises:
        UsageError: neither a second dataset nor changes are given, or both.
        SettingsError: a setting is wrong, or needs measuring anew.
        OtherRulesError: the first was made with other rules of the user's own, and settings are changed.
        DatasetError: one of the two is no dataset, or damaged.
        ChangingDatasetError: a command has begun to change what is read.
        OSError: a file cannot be read.
    """
    changes = bool(overrides) or file is not None
    if (second is None) != changes:
        raise UsageError(_NO_CHANGE)
    if second is None:
        folder = location(first)
        return in_one_state(folder, lambda counted: _under_other_settings(folder, counted, file, overrides, rules))
    before, after = (_told(location(one)) for one in (first, second))
    kept = [_side(one, str(one.folder.path)) for one in (before, after)]
    pairs = _pairs(before, after)
    return _differences(
        (before.originals, after.originals),
        (kept[0], kept[1]),
        differences(after.folder.settings, before.folder.settings),
        pairs,
    )


def _told(folder: Path) -> _Told:
    return in_one_state(folder, lambda counted: _read(folder, counted))


def _read(folder: Path, counted: frozenset[str] | None) -> _Told:
    origin = DatasetFolder.existing(folder)
    spans = counted_rows(read_table(folder, "spans", TOLD_COLUMNS), counted)
    originals = {row.video_id: row for row in origin.rows() if row.duplicate_of is None}
    try:
        told = {video_id: video for video_id, video in told_by_table(spans) if video_id in originals}
    except DatasetError as error:
        raise DatasetError(f"{folder}: {error}") from error
    return _Told(folder=origin, originals=originals, told=told)


def _under_other_settings(
    folder: Path,
    counted: frozenset[str] | None,
    file: str | Path | None,
    overrides: Overrides,
    rules: Sequence[Rule],
) -> Differences:
    before = _read(folder, counted)
    origin = before.folder
    require_same_rules(origin.path, origin.record.rules, rules)
    settings = load_settings(origin.settings, file, overrides)
    changed = equally_measured(settings, origin.settings, origin.path)
    told: dict[str, ToldVideo] = {}
    unmeasured: dict[str, str] = {}
    curated = curated_of(list(before.originals.values()), counted)
    for row, evidence in evidence_of_videos(origin.path, curated, origin.settings.rules, all_measures=bool(rules)):
        try:
            told[row.video_id] = ToldVideo.by_decision(_decided(evidence, settings, rules), row.video_id)
        except UnmeasuredError:
            unmeasured[row.video_id] = row.path
        except UsageError as error:
            raise DatasetError(f"{row.path}: {error}") from error
    known = {video_id: video for video_id, video in before.told.items() if video_id not in unmeasured}
    first = _Told(folder=origin, originals=before.originals, told=known)
    second = _Told(folder=origin, originals=before.originals, told=told)
    sides = _side(first, str(origin.path)), _side(second, f"{origin.path}, decided with these settings")
    return _differences(
        (before.originals, before.originals), sides, changed, _pairs(first, second), tuple(unmeasured.values())
    )


def _decided(evidence: Evidence, settings: CurationSettings, rules: Sequence[Rule]) -> Decision:
    return decide(
        evidence,
        settings.rules,
        rules,
        identity=settings.perception.identity,
        face_ratio=settings.crop.face_ratio,
        tiers=settings.tiers,
    )


def _side(one: _Told, name: str) -> Side:
    return Side(
        name=name,
        videos=len(one.told),
        raw_s=sum(video.n_ticks for video in one.told.values()) / float(TICK_RATE_HZ),
        kept_s={
            tier: sum(video.kept_ticks(tier) for video in one.told.values()) / float(TICK_RATE_HZ) for tier in TIERS
        },
        clips=sum(len(video.clip_ids) for video in one.told.values()),
    )


_Pair = tuple[str, ToldVideo | None, ToldVideo | None]
"""Id of a video, and what became of it on either side; None where it has no such video."""


def _pairs(before: _Told, after: _Told) -> Iterator[_Pair]:
    """Yield every video that was measured on one of the sides, in the order of their ids."""
    for video_id in sorted({*before.told, *after.told}):
        sides: list[ToldVideo | None] = []
        for one, other in ((before, after), (after, before)):
            video, row = one.told.get(video_id), one.originals.get(video_id)
            if video is None and row is not None:  # it failed there, or was left out
                video = ToldVideo.without(row.error_code or row.status, other.told[video_id].n_ticks)
            sides.append(video)
        yield video_id, sides[0], sides[1]


def _differences(
    originals: tuple[Mapping[str, VideoRecord], Mapping[str, VideoRecord]],
    sides: tuple[Side, Side],
    settings: Sequence[str],
    pairs: Iterator[_Pair],
    unmeasured: tuple[str, ...] = (),
) -> Differences:
    changed: list[ChangedVideo] = []
    clips = dict.fromkeys(("both", "first", "second"), 0)
    common = moved = 0
    alone: dict[tuple[int, str], list[ToldVideo]] = {}
    for video_id, before, after in pairs:
        mine, theirs = (frozenset[str]() if one is None else one.clip_ids for one in (before, after))
        clips["both"] += len(mine & theirs)
        clips["first"] += len(mine - theirs)
        clips["second"] += len(theirs - mine)
        if before is None or after is None:
            side = 0 if after is None else 1
            told = before or after
            if told is not None:
                alone.setdefault((side, originals[side][video_id].source), []).append(told)
            continue
        rows = originals[0][video_id], originals[1][video_id]
        common += 1
        moved += (rows[0].path, rows[0].source) != (rows[1].path, rows[1].source)
        changes = tuple(changes_of(before, after))
        if changes:
            changed.append(ChangedVideo(video_id=video_id, path=rows[1].path, source=rows[1].source, changes=changes))
    return Differences(
        sides=sides,
        settings=tuple(settings),
        videos=tuple(sorted(changed, key=lambda video: -sum(change.n_ticks for change in video.changes))),
        common_videos=common,
        moved_videos=moved,
        only_there=tuple(
            OnlyThere(
                side=side,
                source=source,
                videos=len(videos),
                raw_s=sum(video.n_ticks for video in videos) / float(TICK_RATE_HZ),
                kept_s={tier: sum(one.kept_ticks(tier) for one in videos) / float(TICK_RATE_HZ) for tier in TIERS},
            )
            for (side, source), videos in sorted(alone.items())
        ),
        clips=clips,
        unmeasured=unmeasured,
    )
