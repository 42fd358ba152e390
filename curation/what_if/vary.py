"""What other limits would keep of a dataset, for many values at once. No picture, no model and no source is touched."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from curation.decision.trial import require_usable
from curation.operations.changed_limits import require_tags
from curation.operations.read_evidence import curated_of, n_ticks_of
from curation.output.curated_video import landmarks_of
from curation.output.folder import DatasetFolder
from curation.output.ledger import VideoRecord
from curation.output.recorded_rules import require_same_rules
from curation.rules.rule import Rule
from curation.settings import equally_measured, load_settings
from curation.what_if.counting import Counted, Job, OnProgress, count
from curation.what_if.kept_figures import KeptRow, Point, WhatIf
from curation.what_if.prepared_cache import PreparedCache
from curation.what_if.variations import Combination, combinations, variation_of
from foundation.array_types import BoolArray, Int64Array
from foundation.settings import Overrides, setting_leaves
from foundation.storage.locations import location
from foundation.storage.private_folder import private_folder
from manifests.packing.one_state import in_one_state
from manifests.timeline import TICK_RATE_HZ
from manifests.vocabulary import TIERS, Tier

__all__ = ["vary"]


def vary(
    dataset: str | Path,
    variations: Sequence[str],
    file: str | Path | None = None,
    overrides: Overrides = (),
    *,
    rules: Sequence[Rule] = (),
    workers: int = 1,
    cache: Path | None = None,
    on_progress: OnProgress | None = None,
) -> WhatIf:
    """Count what `gaia-curate decide` would keep of a dataset with each value of a setting, or of two.

    Args:
        dataset: made by `run` or `redecide`.
        variations: one or two texts, ``NAME=FIRST:LAST:STEP`` or ``NAME=VALUE,VALUE``.
        file: YAML file of settings that are changed for all values.
        overrides: such changes, ``dotted.name=value`` or a mapping from the dotted name to the value.
        rules: rules of the user's own, with which the dataset was made.
        workers: processes; more than one where there is work for them. With rules of the user's own, one.
        cache: folder of this user in which what is prepared is kept, so that a later call that varies the same settings
            need not read the evidence again; None: nothing is kept.
        on_progress: is told how many videos of how many are counted.

    Returns:
        The figures of each value, or of each pair of values.

    Raises:
        SettingsError: a setting is unknown, needs measuring anew, or has a value that is not allowed.
        UnmeasuredVideosError: generated videos are to be dropped, and the tags of some files were not read.
        OtherRulesError: the dataset was made with other rules of the user's own.
        RuleError: one of them raised.
        DatasetError: `dataset` is no dataset, or its evidence is damaged.
        ChangingDatasetError: a command has begun to change what is read.
        UnsafeFolderError: `cache` is a link, or belongs to another user.
        OSError: the evidence cannot be read.
    """
    folder = location(dataset)
    kept = None if cache is None else PreparedCache(folder=private_folder(cache))

    def read(counted: frozenset[str] | None) -> WhatIf:
        origin = DatasetFolder.existing(folder)
        require_same_rules(origin.path, origin.record.rules, rules)
        require_usable(rules, landmarks_of(origin.settings))
        base = load_settings(origin.settings, file, overrides)
        changed = equally_measured(base, origin.settings, origin.path)
        varied = [variation_of(text) for text in variations]
        combined = combinations(base, origin.settings, varied, origin.path)
        rows = curated_of(origin.rows(), counted)
        allowed = tuple(one.settings for one in combined if one.settings is not None)
        for settings in allowed:
            require_tags(origin, settings)
        job = Job(dataset=folder, before=origin.settings.rules, settings=allowed, own=tuple(rules), cache=kept)
        found = count(job, rows, 1 if rules else workers, on_progress)
        now = dict(setting_leaves(origin.settings.model_dump(mode="json")))
        return WhatIf(
            dataset=str(folder),
            names=tuple(one.name for one in varied),
            now=tuple(now[one.name] for one in varied),
            changed=tuple(changed),
            kept_now_s=_kept_now_s(rows),
            videos=len(rows),
            unknown_speaker_videos=sum(row.speaker_id is None for row in rows),
            raw_s=sum(n_ticks_of(row) for row in rows) / float(TICK_RATE_HZ),
            points=tuple(_points(combined, rows, found)),
            prepared_again=int((found.times_prepared - 1).clip(0).sum()),
            reused_videos=int(np.count_nonzero(found.reused)),
        )

    return in_one_state(folder, read)


def _kept_now_s(rows: Sequence[VideoRecord]) -> dict[Tier, float]:
    return {
        "diffusion": sum(row.kept_diffusion_s for row in rows),
        "vae": sum(row.kept_vae_s for row in rows),
    }


def _points(combined: Sequence[Combination], rows: Sequence[VideoRecord], found: Counted) -> Iterator[Point]:
    """Yield the figures of each combination, in order."""
    names = sorted({row.source for row in rows})
    of_source = {name: np.array([row.source == name for row in rows], dtype=np.bool_) for name in names}
    everything = np.ones(len(rows), dtype=np.bool_)
    place = 0
    for one in combined:
        if one.settings is None:
            yield Point(values=one.values, total=None, refusal=one.refusal)
            continue
        ticks, clips = found.ticks[place], found.clips[place]
        yield Point(
            values=one.values,
            total=_row("total", everything, rows, ticks, clips),
            sources=tuple(_row(name, of_source[name], rows, ticks, clips) for name in names),
            unmeasured_videos=int(np.count_nonzero(found.unmeasured[place])),
        )
        place += 1


def _row(name: str, own: BoolArray, rows: Sequence[VideoRecord], ticks: Int64Array, clips: Int64Array) -> KeptRow:
    """Return the sums over the videos that are marked in ``own``, (V,)."""
    speakers: dict[Tier, int] = {}
    for column, tier in enumerate(TIERS):
        kept = np.flatnonzero(own & (ticks[:, column] > 0)).tolist()
        # speaker ids are unique within a source only
        speakers[tier] = len(
            {(rows[video].source, rows[video].speaker_id) for video in kept if rows[video].speaker_id is not None}
        )
    return KeptRow(
        source=name,
        kept_s={tier: int(ticks[own, column].sum()) / float(TICK_RATE_HZ) for column, tier in enumerate(TIERS)},
        clips={tier: int(clips[own, column].sum()) for column, tier in enumerate(TIERS)},
        speakers=speakers,
    )
