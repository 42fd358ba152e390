"""Two datasets that were made alike, joined into a new one: whoever was removed from either is in neither's place."""

import importlib.metadata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from curation.dataset_tools.making import Origin, begun, joined_identities, record_digest
from curation.output.complete_videos import curated_ids
from curation.output.folder import DatasetFolder, DatasetFolderError
from curation.output.ledger import VideoRecord
from curation.output.removals import without_removed
from curation.output.sole_writer import require_outside, sole_writer_of_new
from curation.settings import differences
from curation.splits.assignment import EarlierSplits
from curation.splits.groups import CLIP_COLUMNS
from foundation.packages import DISTRIBUTION
from foundation.storage.locations import location, resolved
from foundation.text import count_text, shown
from manifests.dataset import Dataset
from manifests.files.tables import read_table
from manifests.packing.identity_rows import write_identities
from manifests.packing.one_state import without_writer
from manifests.record import DatasetRecord, HistoryStep
from manifests.removals import Removals

__all__ = ["Merged", "merge"]

_MAY_DIFFER = ("storage.", "split.")
"""Settings that do not change what clips there are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Merged:
    """The outcome of joining two datasets."""

    dataset: Dataset
    videos: tuple[int, int]
    """Curated videos that came from the first and from the second."""
    in_both: int
    """Videos of the second that the first has, too: its rows hold."""
    removed: int
    """Videos of one that `forget` removed from the other."""
    has_persons: bool
    split: str

    def text(self) -> str:
        """Return sentences for people."""
        first, second = self.videos
        curated = f"{count_text(first, 'curated video')} of the first dataset, {second:,} of the second"
        lines = [f"{self.dataset.path}: {curated}."]
        if self.in_both:
            lines.append(f"{count_text(self.in_both, 'video is', 'videos are')} in both and taken once.")
        if self.removed:
            left_out = count_text(self.removed, "video was", "videos were")
            lines.append(f"{left_out} left out, which `gaia-curate forget` removed from one dataset.")
        if self.has_persons:
            lines.append("Persons were told apart in each dataset alone: run `gaia-curate identities` on the new one.")
        lines.append("Near-duplicates across the two are not known: run `gaia-curate duplicates` on the new one.")
        return "\n".join([*map(shown, lines), "", self.split])


def merge(first: str | Path, second: str | Path, out: str | Path, *, wait: bool = False) -> Merged:
    """Join two datasets into a new one. Nothing is measured or decided again, and neither of the two is changed.

    Args:
        first: a finished dataset. Where both have a video, its rows and labels hold.
        second: another that was made with the same settings, rules and weights.
        out: a new folder, or one that the same call has begun.
        wait: wait while another command writes to one of the three; otherwise such a command is an error.

    Raises:
        DatasetFolderError: the two were made differently, or `out` holds something else or lies in one of them.
        DatasetError: one is no dataset, or is damaged.
        LeaseHeldError: another command writes to `out`, and `wait` is false.
        ChangingDatasetError: another command writes to one of the two.
        OSError: a file cannot be read or written.
    """
    origins, target = (location(first), location(second)), location(out)
    if len({resolved(path) for path in (*origins, target)}) < 3:
        raise DatasetFolderError(f"{first}, {second} and --out {out} are to be three folders, and two are the same")
    require_outside(out, *origins)
    with sole_writer_of_new(target, "gaia-curate merge", wait=wait):
        return without_writer(
            origins[0],
            lambda: without_writer(origins[1], lambda: _merged(*origins, target), wait=wait, repeat=False),
            wait=wait,
            repeat=False,
        )


def _merged(first: Path, second: Path, out: Path) -> Merged:
    folders = [DatasetFolder.existing(first), DatasetFolder.existing(second)]
    _require_alike(*folders)
    version = importlib.metadata.version(DISTRIBUTION)
    origins = (record_digest(first), record_digest(second))
    step = HistoryStep(command="merge", software_version=version, origins=origins)
    target = begun(out, folders[0], _joined_record(folders[0].record, folders[1].record), step)
    rows = [folder.rows() for folder in folders]
    allowed = _not_removed(target.record.removals, [row for own in rows for row in own])
    taken = _taken(rows, allowed)
    target.earlier = EarlierSplits.of(
        pa.concat_tables([read_table(folder.path, "clips", list(CLIP_COLUMNS)) for folder in folders])
    )
    records: list[VideoRecord] = []
    identities = []
    counts = []
    for number, folder in enumerate(folders):
        own = sorted((row for row, owner in taken.values() if owner == number), key=lambda row: row.video_id)
        live = curated_ids(own)
        counts.append(len(live))
        with Origin(folder, live) as origin:
            for row in own:
                if row.video_id in live:
                    origin.copy(row, target)
                else:
                    target.write(row)
                records.append(row)
            identities.append(origin.identities())
    persons = joined_identities(identities)
    if len(persons):
        write_identities(out, persons)
    finished = target.finish(sorted((*records, *_copies(rows, taken)), key=lambda row: row.path))
    ids = [{row.video_id for row in own} for own in rows]
    return Merged(
        dataset=finished,
        videos=(counts[0], counts[1]),
        in_both=len(ids[0] & ids[1] & allowed),
        removed=len((ids[0] | ids[1]) - allowed),
        has_persons=bool(len(persons)),
        split=target.assignment.text(),
    )


def _require_alike(first: DatasetFolder, second: DatasetFolder) -> None:
    """Stop a merge of datasets that were made differently.

    Raises:
        DatasetFolderError: settings, rules or weights differ; the message lists them.
    """
    settings = differences(second.settings, first.settings)
    changed = [line for line in settings if not line.startswith(_MAY_DIFFER)]
    weights = [{(one.role, one.name): one.sha256 for one in folder.record.weights} for folder in (first, second)]
    changed += [f"weights of {name}" for role, name in sorted(weights[0].keys() | weights[1].keys())
                if weights[0].get((role, name)) != weights[1].get((role, name))]  # fmt: skip
    if first.record.rules != second.record.rules:
        changed.append("rules")
    if changed:
        raise DatasetFolderError(
            f"{second.path} was made with other settings or models than {first.path}: {'; '.join(changed)}. Apply the "
            "same settings to both with `gaia-curate decide`, or curate one of them anew"
        )


def _joined_record(first: DatasetRecord, second: DatasetRecord) -> DatasetRecord:
    if first.removals is None or second.removals is None:
        removals = first.removals or second.removals
    else:
        removals = first.removals.merged(second.removals)
    return first.model_copy(
        update={
            "exclusions": tuple(dict.fromkeys((*first.exclusions, *second.exclusions))),
            "layouts": tuple(dict.fromkeys((*first.layouts, *second.layouts))),
            "history": tuple(dict.fromkeys((*first.history, *second.history))),
            "removals": removals,
        }
    )


def _not_removed(removals: Removals | None, rows: Sequence[VideoRecord]) -> set[str]:
    """Return the ids of the videos that were removed from neither dataset."""
    return {video.video_id for video in without_removed(removals, [row.listing() for row in rows])}


def _taken(rows: Sequence[Sequence[VideoRecord]], allowed: set[str]) -> dict[str, tuple[VideoRecord, int]]:
    """Return by video id its row, and of which dataset: what one leaves out is left out, then what is curated holds."""
    taken: dict[str, tuple[VideoRecord, int]] = {}
    for number, own in enumerate(rows):
        for row in own:
            if row.duplicate_of is None and row.video_id in allowed:
                before = taken.get(row.video_id)
                if before is None or _rank(row) < _rank(before[0]):
                    taken[row.video_id] = row, number
    return taken


def _rank(row: VideoRecord) -> int:
    return ("excluded", "ok", "failed", "quarantined").index(row.status)


def _copies(
    rows: Iterable[Sequence[VideoRecord]], taken: Mapping[str, tuple[VideoRecord, int]]
) -> Iterable[VideoRecord]:
    """Yield a row for every other path at which a video was found, in either dataset."""
    seen = {(video_id, row.path) for video_id, (row, _) in taken.items()}
    for row in (row for own in rows for row in own):
        if row.video_id in taken and (row.video_id, row.path) not in seen:
            seen.add((row.video_id, row.path))
            original = taken[row.video_id][0]
            listing = row.listing()
            yield VideoRecord.duplicate(listing, listing.path).model_copy(update={"duplicate_of": original.path})
