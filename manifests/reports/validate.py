"""Validation of a dataset (`gaia-curate validate`): files, rows and clips agree with each other.

Nothing is changed. Clips are read in batches, so memory does not grow with the dataset.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pyarrow as pa

from foundation.storage.arrow import open_parquet
from foundation.storage.locations import StorageError
from foundation.text import count_text
from manifests.clip_size import clip_px
from manifests.errors import DatasetError
from manifests.files.tables import read_table, table_files
from manifests.packing.one_state import without_writer
from manifests.packing.stated import Refusal, refused_cells, refused_files, refused_footers, refused_latents
from manifests.record import DatasetRecord, read_dataset
from manifests.reports.validate_clips import Problem, clip_problems
from manifests.reports.validate_identities import identity_problems
from manifests.reports.validate_measured import measured_problems
from manifests.reports.validate_schema import describes_schema, schema_problems
from manifests.reports.validate_splits import split_problems
from manifests.schema.clips import CLIPS
from manifests.schema.tables import TABLES
from manifests.schema.videos import VIDEOS
from manifests.timeline import TICK_RATE_HZ, tick_count
from manifests.totals import totals_of
from manifests.vocabulary import TIERS

__all__ = ["validate"]

_DECIDE_AGAIN = "run `gaia-curate decide` into a new dataset"

_RUN_AGAIN = "run the curation again"

_REFUSED = "ask whoever made the dataset; nothing that it names so is opened"

_ENCODE_AGAIN = "delete the file, and run `gaia-train latents` again"

_GO_ON = "wait for it, or give the same command again to go on"


def validate(dataset: Path, *, wait: bool = False) -> list[Problem]:
    """Return all problems of a dataset; an empty list if it is valid.

    Checked are: that all files are the dataset's own, and all names, ids and numbers possible, before anything that
    they name is opened; the schema of every file; that ticks and spans tile every analysed video; that kept spans
    and clips match, and lie on ticks that were measured; that clips have the persons of `identities`; that the
    bytes of every clip have the recorded checksum, decode, and fit its arrays; the totals.

    A dataset that a command writes to is not checked: its problems would be those of the moment.

    Args:
        dataset: the folder or address.
        wait: wait for the end of a command that writes to it, and begin again if one comes in between.

    Raises:
        DatasetError: `dataset` is no dataset, or one of another schema version.
        ChangingDatasetError: a command writes to it, or has begun to meanwhile, and `wait` is false.
    """
    read_dataset(dataset)
    return without_writer(dataset, lambda: _problems(dataset, read_dataset(dataset)), wait=wait)


def _problems(dataset: Path, record: DatasetRecord) -> list[Problem]:
    problems: list[Problem] = []
    try:
        problems.extend(_found(dataset, record))
    except DatasetError as error:  # what cannot be read, or would fill the memory, is a problem like any other
        what, _, remedy = str(error).rpartition("; ")
        problems.append(Problem(file="tables", row="", what=what or remedy, remedy=remedy))
    return problems


def _found(dataset: Path, record: DatasetRecord) -> Iterator[Problem]:
    if problems := _refusals(refused_files(dataset)):  # nothing else is opened then
        yield from problems
        return
    if not table_files(dataset, VIDEOS.name):
        yield Problem(file="videos", row="", what="the run has not ended: there is no table yet", remedy=_GO_ON)
        return
    if problems := list(schema_problems(dataset, record)):  # rows of another schema cannot be judged
        yield from problems
        return
    problems = _refusals(refused_footers(dataset)) or _refusals(refused_cells(dataset, tuple(TABLES.values())))
    if problems:  # rows that state what cannot be are not followed
        yield from problems
        return
    durations, problems = _durations(dataset)
    yield from problems
    yield from _frame_problems(dataset, durations)
    yield from _tiling_problems(dataset, durations, record.outcomes)
    yield from _kept_problems(dataset)
    yield from _kept_second_problems(dataset)
    yield from measured_problems(dataset)
    yield from identity_problems(dataset)
    yield from split_problems(dataset)
    size_px = clip_px(record)
    for path in table_files(dataset, CLIPS.name):
        yield from _clip_file_problems(dataset, path, size_px)
    yield from (Problem(file=one.file, row="", what=one.what, remedy=_ENCODE_AGAIN) for one in refused_latents(dataset))
    yield from _record_problems(dataset, record)


def _clip_file_problems(dataset: Path, path: Path, size_px: int) -> Iterator[Problem]:
    file = f"{CLIPS.name}/{path.name}"
    try:
        with open_parquet(path) as parquet:
            for batch in parquet.iter_batches(batch_size=CLIPS.row_group_rows):
                yield from clip_problems(dataset, file, batch, size_px)
    except StorageError:
        raise
    except (pa.ArrowException, OSError) as error:
        yield Problem(file=file, row="", what=f"cannot be read: {error}", remedy=f"remove it and {_RUN_AGAIN}")


def _refusals(refusals: Iterator[Refusal]) -> list[Problem]:
    return [Problem(file=one.file, row="", what=one.what, remedy=_REFUSED) for one in refusals]


def _durations(dataset: Path) -> tuple[dict[str, int], list[Problem]]:
    """Return the number of ticks of every video that needs evidence and spans, and the problems of `videos`."""
    rows = read_table(dataset, "videos", ["video_id", "path", "status", "duration_s", "duplicate_of"]).to_pylist()
    originals = [row for row in rows if row["duplicate_of"] is None]
    paths = {row["path"] for row in originals}
    ticks = {}
    problems = []
    for video_id, count in Counter(row["video_id"] for row in originals).items():
        if count > 1:
            what = f"{count} rows have this video_id and none says duplicate_of"
            problems.append(Problem(file="videos", row=video_id, what=what, remedy=_RUN_AGAIN))
    for row in rows:
        if row["duplicate_of"] is not None and row["duplicate_of"] not in paths:
            what = f"duplicate_of names {row['duplicate_of']}, which no analysed row has as its path"
            problems.append(Problem(file="videos", row=row["path"], what=what, remedy=_RUN_AGAIN))
    for row in originals:
        if row["status"] == "ok" and row["duration_s"] is None:
            what = "the status is ok and duration_s is null"
            problems.append(Problem(file="videos", row=row["path"], what=what, remedy=_RUN_AGAIN))
        elif row["status"] == "ok":
            # recover the ratio that the float approximates, so that half a tick is rounded as in the analysis
            exact_s = Fraction(row["duration_s"]).limit_denominator(1_000_000)
            ticks[row["video_id"]] = tick_count(exact_s)
    return ticks, problems


def _frame_problems(dataset: Path, durations: dict[str, int]) -> Iterator[Problem]:
    """Yield videos whose evidence does not contain each tick once, apart from trimmed ticks."""
    trimmed = _trimmed_ticks(dataset)
    frames = read_table(dataset, "frames", ["video_id", "tick"])
    sums = frames.group_by("video_id").aggregate([("tick", "count"), ("tick", "count_distinct"), ("tick", "max")])
    found = {row["video_id"]: row for row in sums.to_pylist()}
    for video_id in sorted(durations.keys() | found.keys()):
        n_ticks = durations.get(video_id, 0)
        expected = n_ticks - trimmed[video_id]
        row = found.get(video_id, {"tick_count": 0, "tick_count_distinct": 0, "tick_max": -1})
        if not row["tick_count"] == row["tick_count_distinct"] == expected or row["tick_max"] >= n_ticks > 0:
            what = (
                f"has {count_text(row['tick_count'], 'row')} of evidence with "
                f"{count_text(row['tick_count_distinct'], 'different tick')} up to {row['tick_max']}; the video has "
                f"{count_text(n_ticks, 'tick')}"
            )
            what += f", of which {trimmed[video_id]} are trimmed" if trimmed[video_id] else ""
            yield Problem(file="frames", row=video_id, what=what, remedy=_RUN_AGAIN)


def _trimmed_ticks(dataset: Path) -> Counter[str]:
    """Return the number of trimmed ticks of each video, according to its spans."""
    ticks: Counter[str] = Counter()
    for row in read_table(dataset, "spans", ["video_id", "start_s", "end_s", "tier", "outcome"]).to_pylist():
        if row["outcome"] == "trimmed" and row["tier"] == TIERS[0]:
            ticks[row["video_id"]] += _tick(row["end_s"]) - _tick(row["start_s"])
    return ticks


def _tiling_problems(dataset: Path, durations: dict[str, int], outcomes: Collection[str]) -> Iterator[Problem]:
    """Yield gaps and overlaps: the spans of a tier must tile the video from 0 to its end."""
    spans = defaultdict(list)
    columns = ["video_id", "start_s", "end_s", "tier", "outcome", "clip_id"]
    for row in read_table(dataset, "spans", columns).to_pylist():
        spans[row["video_id"], row["tier"]].append((_tick(row["start_s"]), _tick(row["end_s"])))
        if row["tier"] not in TIERS or row["outcome"] not in outcomes:
            what = f"tier {row['tier']!r} or outcome {row['outcome']!r} is unknown"
            yield Problem(file="spans", row=row["video_id"], what=what, remedy=_DECIDE_AGAIN)
        if (row["outcome"] == "kept") != (row["clip_id"] is not None):
            what = f"the span {row['start_s']} to {row['end_s']} s is {row['outcome']} and has clip_id {row['clip_id']}"
            yield Problem(file="spans", row=row["video_id"], what=what, remedy=_DECIDE_AGAIN)
    for video_id in sorted({video_id for video_id, _ in spans}):
        if video_id not in durations:
            what = "has spans and is no analysed video"
            yield Problem(file="spans", row=video_id, what=what, remedy=_DECIDE_AGAIN)
    for video_id, end in durations.items():
        for tier in TIERS:
            bounds = [(0, 0), *sorted(spans.get((video_id, tier), [])), (end, end)]
            for (_, before), (after, _) in pairwise(bounds):
                if before != after:
                    kind = "a gap" if before < after else "an overlap"
                    seconds = sorted((float(before / TICK_RATE_HZ), float(after / TICK_RATE_HZ)))
                    what = f"tier {tier} has {kind} from {seconds[0]} to {seconds[1]} s"
                    yield Problem(file="spans", row=video_id, what=what, remedy=_DECIDE_AGAIN)


def _kept_problems(dataset: Path) -> Iterator[Problem]:
    """Yield clips without spans and kept spans without a clip; a diffusion clip has a span in both tiers."""
    spans = read_table(dataset, "spans", ["video_id", "start_s", "end_s", "tier", "clip_id"]).to_pylist()
    kept = Counter(
        (row["clip_id"], row["tier"], _tick(row["start_s"]), _tick(row["end_s"])) for row in spans if row["clip_id"]
    )
    expected: Counter[tuple[str, str, int, int]] = Counter()
    columns = ["clip_id", "video_id", "tier", "start_s", "end_s", "n_frames"]
    for row in read_table(dataset, "clips", columns).to_pylist():
        first, end = _tick(row["start_s"]), _tick(row["end_s"])
        for tier in TIERS if row["tier"] == "diffusion" else (row["tier"],):
            expected[row["clip_id"], tier, first, end] += 1
        clip_id = f"{row['video_id']}-{first:07d}-{end - 1:07d}"
        if row["clip_id"] != clip_id or row["n_frames"] != end - first:
            what = f"times and n_frames {row['n_frames']} do not fit the name; {clip_id} has {end - first} frames"
            yield Problem(file="clips", row=row["clip_id"], what=what, remedy=_RUN_AGAIN)
    for clip_id, tier, first, end in sorted((kept - expected).keys()):
        what = f"tier {tier} keeps ticks {first} to {end} for this clip, which `clips` does not have so"
        yield Problem(file="spans", row=clip_id, what=what, remedy=_RUN_AGAIN)
    for clip_id, tier, first, end in sorted((expected - kept).keys()):
        what = f"no span of tier {tier} keeps ticks {first} to {end} for this clip, or the clip has two rows"
        yield Problem(file="clips", row=clip_id, what=what, remedy=_RUN_AGAIN)


def _kept_second_problems(dataset: Path) -> Iterator[Problem]:
    """Yield videos with kept seconds or a number of clips that differ from the spans and clips."""
    ticks: Counter[tuple[str, str]] = Counter()
    for row in read_table(dataset, "spans", ["video_id", "start_s", "end_s", "tier", "outcome"]).to_pylist():
        if row["outcome"] == "kept":
            ticks[row["video_id"], row["tier"]] += _tick(row["end_s"]) - _tick(row["start_s"])
    clips = Counter(read_table(dataset, "clips", ["video_id"])["video_id"].to_pylist())
    columns = ["video_id", "path", "duplicate_of", "n_clips", *(f"kept_{tier}_s" for tier in TIERS)]
    for row in read_table(dataset, "videos", columns).to_pylist():
        duplicate = row["duplicate_of"] is not None
        expected = {f"kept_{tier}_s": 0 if duplicate else ticks[row["video_id"], tier] for tier in TIERS}
        wrong = [
            f"{name} is {row[name]:.2f}, the spans say {float(count / TICK_RATE_HZ):.2f}"
            for name, count in expected.items()
            if _tick(row[name]) != count
        ]
        n_clips = 0 if duplicate else clips[row["video_id"]]
        if row["n_clips"] != n_clips:
            wrong.append(f"n_clips is {row['n_clips']}, `clips` has {n_clips}")
        for what in wrong:
            yield Problem(file="videos", row=row["path"], what=what, remedy=_RUN_AGAIN)


def _record_problems(dataset: Path, record: DatasetRecord) -> Iterator[Problem]:
    if not describes_schema(record):
        what = "the description of the tables is not that of this schema version"
        yield Problem(file="dataset.json", row="tables", what=what, remedy=_RUN_AGAIN)
    counted = totals_of(dataset).model_dump()
    for name, recorded in record.totals.model_dump(exclude_none=True).items():
        if recorded != counted[name]:
            what = f"says {recorded}, the tables hold {counted[name]}"
            yield Problem(file="dataset.json", row=f"totals.{name}", what=what, remedy=_RUN_AGAIN)


def _tick(seconds: float) -> int:
    return round(seconds * float(TICK_RATE_HZ))
