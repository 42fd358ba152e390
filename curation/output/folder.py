"""Folder of a dataset that a command writes to: opened once, its record read once and committed once."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Self

import pyarrow as pa

from curation.output.complete_videos import curated_ids
from curation.output.ledger import VideoRecord, read_ledger, read_rows, with_copies_outcomes, write_record
from curation.output.provenance import (
    DatasetFolderError,
    new_record,
    recorded_settings,
    require_same,
    with_layout,
    with_weights,
)
from curation.output.recorded_rules import require_same_rules, rule_records
from curation.output.sole_writer import foreign_entries, require_free
from curation.output.split_column import earlier_splits, label_clips
from curation.output.video_files import WINDOWS, remove_video_files
from curation.output.window_files import remove_windows
from curation.rules.rule import Rule
from curation.settings import CurationSettings
from curation.sources.layouts import LayoutName
from curation.splits.assignment import Assignment, EarlierSplits
from foundation.storage.leases import require_lease
from foundation.storage.locations import location
from manifests.card.own_files import CARD_FILES
from manifests.dataset import Dataset
from manifests.files.journal import finish_swap
from manifests.files.tables import write_parquet
from manifests.packing.drop_descriptors import drop_descriptors
from manifests.packing.identity_rows import keep_identities, write_identities
from manifests.packing.pack import compact
from manifests.packing.stated import require_own_files
from manifests.record import (
    DatasetRecord,
    ExclusionList,
    WeightRecord,
    commit_dataset,
    describe_tables,
    draft_dataset,
    find_dataset,
    read_dataset,
)
from manifests.removals import Removals
from manifests.schema.tables import TABLES
from manifests.schema.videos import VIDEOS
from manifests.totals import totals_of

__all__ = ["DatasetFolder", "DatasetFolderError"]

_ENTRIES = frozenset({"dataset.json", "media", "ledger", "latents", "text_states", WINDOWS, *TABLES, *CARD_FILES})
"""Names in the folder of a dataset."""


class DatasetFolder:
    """A dataset's folder with its record.

    A command that writes holds the lease of the folder (`sole_writer`), so that what it has read stays true.
    The record is read when the folder is opened, and `finish` commits it. What a stopped command must not lose of it
    (settings, weights, layouts, lists, removals) is written as a draft before anything is done with it.
    """

    def __init__(self, path: Path, record: DatasetRecord, settings: CurationSettings, rules: Sequence[Rule]) -> None:
        """Take a record with its settings, and rules of the user's own; see `existing` and `begin`."""
        self.path = path
        self.record = record
        self.settings = settings
        self.rules = tuple(rules)
        self.is_new = False
        """Whether this command began the dataset, so that nothing of an earlier one is there."""
        self.earlier: EarlierSplits | None = None
        """Splits to keep, read before anything changes; None: those of the tables when the command ends."""
        self.assignment = Assignment()
        """Splits of the clips once the command has ended."""

    @classmethod
    def existing(cls, path: str | Path) -> Self:
        """Open a dataset that is finished or begun.

        Raises:
            DatasetError: it is no dataset, its record is damaged, or of another version, or it states what cannot be.
            DatasetFolderError: its settings are not those of this version.
        """
        folder = location(path)
        record = read_dataset(folder)
        require_own_files(folder)
        return cls(folder, record, recorded_settings(folder, record), ())

    @classmethod
    def begin(
        cls,
        path: str | Path,
        settings: CurationSettings,
        *,
        weights: Sequence[WeightRecord] | None = None,
        source: tuple[str, LayoutName | None] | None = None,
        exclusions: Sequence[ExclusionList] = (),
        rules: Sequence[Rule] = (),
        origin: "DatasetFolder | None" = None,
        dry_run: bool = False,
    ) -> Self:
        """Make a folder a new dataset of these settings, or resume the dataset in it.

        Where `perception.identity` is `auto`, a dataset keeps its own. The sizes of files may change.

        Args:
            path: the folder.
            settings: what to keep and how.
            weights: files that are used; None: those of the settings, which are fetched where they are missing.
            source: source of a run as the user gave it, and its layout if it is a folder.
            exclusions: lists of people and videos to leave out; those of earlier runs remain recorded.
            rules: rules of the user's own.
            origin: dataset that this one is made from; its layouts, lists and removals hold here, too.
            dry_run: only check, write nothing.

        Raises:
            DatasetFolderError: the folder holds something else, or a dataset of other settings, weights or layout,
                which the message lists.
            OtherRulesError: it is a dataset with other rules of the user's own.
            DatasetError: its record is damaged, or of another version, or it states what cannot be.
            MissingAssetsError: weights are missing and cannot be fetched.
            OSError: it cannot be reached or written.
        """
        path = location(path)
        found = find_dataset(path)
        if found is None:
            require_free(path)
            settings, weights = with_weights(settings, weights)
            folder = cls(path, new_record(settings, weights), settings, rules)
            folder.is_new = True
        else:
            require_own_files(path)
            folder = cls(path, found, recorded_settings(path, found), rules)
            settings, weights = with_weights(settings, weights, folder.settings.perception.identity)
            folder.resume(settings, weights, rules, dry_run=dry_run)
            if not dry_run and settings.analysis != folder.settings.analysis:
                remove_windows(path, None)  # of videos that were left halfway, measured as the settings of before ask
            folder.settings = settings
        if origin is not None:
            folder.earlier = earlier_splits(origin.path)
        record = folder.record if origin is None else origin.record
        if source is not None and source[1] is not None:
            record = with_layout(record, source[0], source[1])
        folder.record = folder.record.model_copy(
            update={
                "tables": describe_tables(),  # the same but for wording, since the schema version is the same
                "rules": rule_records(settings.rules, rules),
                "config": settings.model_dump(mode="json"),
                "weights": tuple(weights),  # the same, but for models that are added
                "exclusions": tuple(dict.fromkeys((*record.exclusions, *exclusions))),
                "layouts": record.layouts,
                "removals": record.removals,
            }
        )
        if not dry_run and folder.record != found:
            require_lease(path)
            draft_dataset(path, folder.record)
        return folder

    def resume(
        self,
        settings: CurationSettings | None = None,
        weights: Sequence[WeightRecord] | None = None,
        rules: Sequence[Rule] = (),
        *,
        dry_run: bool = False,
    ) -> None:
        """Check that a command may go on with the dataset, and complete the swap of files of a stopped one.

        Args:
            settings: of the command; None: those of the dataset.
            weights: as of `begin`.
            rules: rules of the user's own.
            dry_run: only check, write nothing.

        Raises:
            DatasetFolderError: settings or weights are others than before; the message lists them.
            OtherRulesError: rules of the user's own are others than before.
            DatasetError: a file is damaged.
            MissingAssetsError: weights are missing and cannot be fetched.
            OSError: it cannot be written.
        """
        require_same_rules(self.path, self.record.rules, rules)
        require_same(self.path, self.record, self.settings, self.settings if settings is None else settings, weights)
        self.rules = tuple(rules)
        if not dry_run:
            finish_swap(self.path)
            self.earlier = earlier_splits(self.path)

    def note_removals(self, removals: Removals, names: Collection[str]) -> None:
        """Record what is removed for good, before any of it is removed.

        Conditions in the record's history that have one of the names of who is removed are blanked.

        Raises:
            OSError: the dataset cannot be written.
        """
        history = tuple(
            step.model_copy(update={"where": None}) if any(name in (step.where or "") for name in names) else step
            for step in self.record.history
        )
        if (removals, history) != (self.record.removals, self.record.history):
            self.record = self.record.model_copy(update={"removals": removals, "history": history})
            require_lease(self.path)
            draft_dataset(self.path, self.record)

    def ledger(self) -> dict[str, VideoRecord]:
        """Return the records of the ledger by video id, after completing a `forget` that was stopped.

        Raises:
            LedgerError: a record is damaged.
            OSError: a file cannot be removed.
        """
        records, removals = read_ledger(self.path), self.record.removals
        for video_id in [known for known in records if removals is not None and removals.has_video(known)]:
            self.forget_video(records.pop(video_id).video_id)
        return records

    def write(self, record: VideoRecord) -> None:
        """Write the record of a video into the ledger.

        Raises:
            OSError: the dataset cannot be written.
        """
        write_record(self.path, record)

    def rows(self) -> list[VideoRecord]:
        """Return the table `videos`, as `read_rows` does."""
        return read_rows(self.path)

    def foreign_entries(self) -> list[str]:
        """Return the names of files and folders that do not belong to a dataset, sorted."""
        return foreign_entries(self.path, _ENTRIES)

    def forget_video(self, video_id: str) -> None:
        """Remove a video's own files; the ledger's record last, so that a stopped removal is repeated.

        Its rows and clips in packed files are removed by the next `finish`.

        Raises:
            OSError: a file cannot be removed.
        """
        require_lease(self.path)
        remove_windows(self.path, {video_id})
        remove_video_files(self.path, video_id)

    def write_identities(self, rows: pa.Table) -> None:
        """Replace the table `identities`, and give the clips the persons that it has.

        Descriptors that were stored for this alone are removed; nothing else changes. A stopped call is completed by
        the same one, or by the next `finish`.

        Raises:
            DatasetError: a file is damaged.
            OSError: the dataset cannot be written.
        """
        self.record = self.record.model_copy(update={"tables": describe_tables()})
        require_lease(self.path)
        draft_dataset(self.path, self.record)
        earlier = earlier_splits(self.path)  # before clips have other persons
        write_identities(self.path, rows)
        self.assignment = label_clips(self.path, self.rows(), earlier, self.settings.split)
        if not self.settings.privacy.keep_descriptors:
            drop_descriptors(self.path)
        self.record = self.record.model_copy(update={"totals": totals_of(self.path)})
        commit_dataset(self.path, self.record)

    def finish(self, records: Iterable[VideoRecord]) -> Dataset:
        """Pack the files of videos, write `videos`, commit the record with its totals, and return the dataset.

        Of the other tables and the media, only what belongs to a video that is `ok` in `records` stays, under its path.

        Args:
            records: one per file, in the order of the rows.

        Raises:
            DatasetError: a file is damaged.
            OSError: the dataset cannot be written.
        """
        rows = with_copies_outcomes(list(records))
        remove_windows(self.path, {row.video_id for row in rows})  # of units in flight when their video ended
        curated = curated_ids(rows)
        keep_identities(self.path, curated)
        earlier = self.earlier or earlier_splits(self.path)
        self.assignment = label_clips(self.path, rows, earlier, self.settings.split)
        compact(self.path, curated, self.settings.storage)
        if not self.settings.privacy.descriptors_stored:
            drop_descriptors(self.path)
        table = pa.Table.from_pylist([record.model_dump() for record in rows], schema=VIDEOS.arrow_schema())
        require_lease(self.path)
        write_parquet(self.path / VIDEOS.name / "videos.parquet", table, VIDEOS)
        self.record = self.record.model_copy(update={"tables": describe_tables(), "totals": totals_of(self.path)})
        require_lease(self.path)
        commit_dataset(self.path, self.record)
        return Dataset(self.path, self.record)
