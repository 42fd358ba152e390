"""A dataset opened for reading: tables, clips and reports.

>>> from manifests import Dataset
>>> data = Dataset("my-dataset")                          # doctest: +SKIP
>>> data.clips(tier="diffusion").to_pandas()              # doctest: +SKIP
>>> data.clip(0).contact_sheet()                          # doctest: +SKIP
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import JsonValue

from foundation.storage.locations import location
from foundation.text import count_text, time_unit
from manifests.clip import Clip
from manifests.errors import DatasetError
from manifests.files.tables import read_each_file, table_files
from manifests.packing.one_state import Counted, in_one_state
from manifests.query_limits import QUERY_MEMORY_GIB, QUERY_TIMEOUT_S
from manifests.record import DatasetRecord, read_dataset
from manifests.schema.clips import CLIPS
from manifests.schema.columns import Table
from manifests.schema.frames import FRAMES
from manifests.schema.videos import SPANS, VIDEOS
from manifests.vocabulary import Split, Tier

if TYPE_CHECKING:
    from manifests.reports.explain import Explanation
    from manifests.reports.group_rows import GroupStatistics
    from manifests.reports.queries import Result
    from manifests.reports.statistics import Statistics
    from manifests.reports.validate_clips import Problem

__all__ = ["Dataset"]

Columns = Sequence[str] | Literal["all"] | None
"""Names of columns; "all"; None: those that hold one value a row, and no array."""


class Dataset:
    """A dataset that `gaia-curate run` wrote, opened for reading. Nothing in it is ever changed.

    Tables are Arrow tables: `to_pandas()` makes data frames of them, `to_pylist()` plain objects. Columns that hold an
    array a row (landmarks, pose, features) are large, so a table has them only where `columns` names them or is "all".

    Attributes:
        path: folder or address of the dataset.
        record: content of `dataset.json`, read once when the dataset is opened.
    """

    def __init__(self, path: str | Path, record: DatasetRecord | None = None) -> None:
        """Open a dataset.

        Args:
            path: its folder, or an address in a store, such as ``s3://bucket/my-dataset``.
            record: its record where that has just been read or written; None reads it.

        Raises:
            DatasetError: there is no dataset, it is damaged, or it has another schema version.
            StorageError: the store cannot be reached.
        """
        self.path = location(path) if isinstance(path, str) else path
        self.record: DatasetRecord = read_dataset(self.path) if record is None else record

    def __repr__(self) -> str:
        totals = self.record.totals
        raw_s = totals.hours_raw * 3600
        unit = time_unit(raw_s)
        kept = [f"{unit.text(hours * 3600)} {unit.name} in tier {tier}" for tier, hours in totals.hours_kept.items()]
        exceptions = [f"{n:,} {word}" for n, word in ((totals.failed, "failed"), (totals.excluded, "excluded")) if n]
        return "\n".join(
            [
                f"Dataset {str(self.path)!r}: preset {self.record.preset}, schema version {self.record.schema_version}",
                f"  videos  {', '.join([f'{totals.videos:,}', *exceptions])}; {unit.text(raw_s)} {unit.name} raw",
                f"  clips   {totals.clips:,}; {', '.join(kept)}",
            ]
        )

    def __len__(self) -> int:
        """Return the number of clips, as the record has it."""
        return self.record.totals.clips

    @property
    def settings(self) -> Mapping[str, JsonValue]:
        """All settings that the dataset was made with, defaults included, as nested mappings."""
        return self.record.config

    def clips(
        self,
        tier: Tier | None = None,
        split: Split | None = None,
        columns: Columns = None,
        where: pc.Expression | None = None,
    ) -> pa.Table:
        """Return the rows of table `clips`, one per kept clip.

        Args:
            tier: only clips of this tier. The VAE trains on both tiers, the motion model on `diffusion` alone.
            split: only clips of this split.
            columns: columns to read; None: all but arrays; "all": arrays, too.
            where: only rows for which this holds, such as ``pyarrow.compute.field("snr_db") > 20``.

        Raises:
            DatasetError: there is no such column, or a file is damaged.
        """
        conditions = [
            pc.field(name) == value for name, value in (("tier", tier), ("split", split)) if value is not None
        ]
        return self._rows(CLIPS, columns, [*conditions, *([] if where is None else [where])])

    def videos(self, columns: Columns = None, where: pc.Expression | None = None) -> pa.Table:
        """Return the rows of table `videos`, one per source file; arguments and errors as for `clips`."""
        return self._rows(VIDEOS, columns, [] if where is None else [where])

    def spans(self, columns: Columns = "all", where: pc.Expression | None = None) -> pa.Table:
        """Return the rows of table `spans`, the outcome of every second; arguments and errors as for `clips`."""
        return self._rows(SPANS, columns, [] if where is None else [where])

    def frames(self, video: str, columns: Columns = None) -> pa.Table:
        """Return the evidence of a video, one row per tick of 1/25 s.

        Args:
            video: a video id, a path as table `videos` has it, or a file name that only one video has.
            columns: as for `clips`.

        Raises:
            DatasetError: no video or several match, there is no such column, or a file is damaged.
        """
        from manifests.reports.explain import find_video

        return self._rows(FRAMES, columns, [pc.field("video_id") == find_video(self.path, video)["video_id"]])

    def clip(self, clip: int | str) -> Clip:
        """Open one clip.

        Args:
            clip: its `clip_id`, or its number in `clips()`, from 0; negative numbers count from the end.

        Raises:
            IndexError: there is no clip of that number.
            DatasetError: there is no clip of that name, or a file is damaged.
        """
        if isinstance(clip, int):
            names = self._clip_ids
            if not -len(names) <= clip < len(names):
                raise IndexError(f"{self.path} has {count_text(len(names), 'clip')} and no clip {clip}")
            clip = names[clip]
        place = self._places[clip] if clip in self._places else self._place_now(clip)
        return Clip(self.path, clip, place, self._place_now)

    def query(self, sql: str, *, timeout_s: float = QUERY_TIMEOUT_S, memory_gib: float = QUERY_MEMORY_GIB) -> "Result":
        """Run SQL over the views `videos`, `frames`, `spans`, `clips` and `drops`.

        Args:
            sql: one or more statements.
            timeout_s: seconds after which the query is stopped.
            memory_gib: memory that the database may take, GiB; the answer may take a quarter of it.

        Returns:
            The rows of the last statement: `print` shows them, `.table()` makes an Arrow table of them.

        Raises:
            QueryError: the SQL is wrong, or refers to something outside the dataset, or takes more than the limits.
        """
        from manifests.reports.queries import QueryLimits, query

        return query(self.path, sql, QueryLimits(timeout_s=timeout_s, memory_gib=memory_gib))

    def statistics(self) -> "Statistics":
        """Count speakers and seconds per source, per reason and per video; `print` shows three tables.

        Raises:
            DatasetError: a table cannot be read.
        """
        from manifests.reports.statistics import statistics

        return statistics(self.path)

    def group_statistics(self, by: str) -> "GroupStatistics":
        """Compare what is kept of groups of people, and which rules treat them unlike; `print` shows two tables.

        Args:
            by: source, licence, consent, language, age, gender or skin_type.

        Raises:
            UsageError: `by` is none of them.
            DatasetError: a table cannot be read.
        """
        from manifests.reports.group_shares import group_statistics

        return group_statistics(self.path, by)

    def explain(self, video: str, second: float | None = None) -> "Explanation":
        """Explain why a video, or one second of it, was kept or dropped; `print` shows the answer.

        Args:
            video: a video id, a path as table `videos` has it, or a file name that only one video has.
            second: seconds after the first frame; None explains all of the video.

        Raises:
            DatasetError: no video or several match, or the time lies outside the video.
        """
        from manifests.reports.explain import explain

        return explain(self.path, video, second)

    def validate(self, *, wait: bool = False) -> "list[Problem]":
        """Check every file, row and clip, and return everything that is wrong; an empty list where nothing is.

        Args:
            wait: wait for the end of a command that writes to the dataset.

        Raises:
            ChangingDatasetError: a command writes to the dataset, and `wait` is false.
        """
        from manifests.reports.validate import validate

        return validate(self.path, wait=wait)

    @cached_property
    def _places(self) -> dict[str, tuple[Path, int]]:
        """By clip id, in the order of table `clips`, the clip's file and its row in it."""

        def read(counted: Counted) -> dict[str, tuple[Path, int]]:
            return {
                clip_id: (path, number)
                for path, rows in read_each_file(self.path, CLIPS.name, ["clip_id"])
                for number, clip_id in enumerate(rows["clip_id"].to_pylist())
                if counted is None or clip_id.partition("-")[0] in counted
            }

        return in_one_state(self.path, read)

    def _place_now(self, clip_id: str) -> tuple[Path, int]:
        """Return file and row of a clip after looking again: a command may have put it into another file.

        Raises:
            DatasetError: there is no such clip.
        """
        self.__dict__.pop("_places", None)
        if clip_id not in self._places:
            raise DatasetError(f"{self.path} has no clip {clip_id!r}; `clips()` lists them")
        return self._places[clip_id]

    @cached_property
    def _clip_ids(self) -> list[str]:
        return list(self._places)

    def _rows(self, table: Table, columns: Columns, conditions: Sequence[pc.Expression]) -> pa.Table:
        schema = table.arrow_schema()
        names = table.scalars() if columns is None else schema.names if columns == "all" else list(columns)
        if unknown := sorted(set(names).difference(schema.names)):
            known = ", ".join(schema.names)
            raise DatasetError(f"table {table.name} has no column {', '.join(unknown)}; it has {known}")
        return in_one_state(self.path, lambda counted: self._read(table, names, conditions, counted))

    def _read(
        self, table: Table, names: Sequence[str], conditions: Sequence[pc.Expression], counted: Counted
    ) -> pa.Table:
        from manifests.files.scans import arrow_rows

        schema, condition = table.arrow_schema(), None
        if counted is not None and table is not VIDEOS:
            conditions = [*conditions, pc.field("video_id").isin(sorted(counted))]
        for one in conditions:
            condition = one if condition is None else condition & one
        try:
            return arrow_rows(table_files(self.path, table.name), schema).to_table(columns=names, filter=condition)
        except (pa.ArrowException, ValueError, OSError) as error:
            raise DatasetError(f"{self.path}: table {table.name} cannot be read: {error}") from error
