"""Clips that a run may be tested on: those of its test set, without people that it has learned from (GAIA section 5.1).

The test set is the sources that the run holds out (`data.test_sources`); of a run that holds out none, the clips of
split `test`. A list of names chooses among them. Where the run holds out no source, it chooses among clips of all
splits, for a test set of another data set may have been divided like any other.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from foundation.array_types import BoolArray
from foundation.storage.path_text import path_of_text
from foundation.storage.regular_files import read_small
from foundation.text import count_text
from manifests.files.tables import read_table
from manifests.vocabulary import SPLITS
from models.run_folder import RunFolder
from training.data.config import DataConfig
from training.data.fair_shares import people_of
from training.data.held_out_sources import HeldOutError, held_out_sources, sources_in
from training.data.identity import learned_names
from training.data.selection import ClipIndex, select_clips

__all__ = ["HeldOutClips", "held_out_clips", "read_test_list"]

_LIST_BYTES = 16 << 20

_OF_PERSON = ("clip_id", "video_id", "speaker_id", "person_id")


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldOutClips:
    """Clips of C rows."""

    index: ClipIndex
    """In the order of their names."""
    people: tuple[str, ...]
    """(C,) who is shown: the person, else the speaker, else the video."""
    notes: tuple[str, ...]
    """How they were chosen, a sentence each."""


def held_out_clips(dataset: Path, run: RunFolder, names: Sequence[str] | None = None) -> HeldOutClips:
    """Return the clips of a dataset that a run may be tested on.

    Args:
        dataset: folder or address.
        run: a training run.
        names: of videos or clips, see `read_test_list`; None: all.

    Raises:
        HeldOutError: there are none, or it is not known what the run has learned from and `names` would need it.
        DatasetError: the dataset is damaged.
        SelectionError: its clips do not share one landmark scheme.
    """
    notes: list[str] = []
    learned = _learned(run, notes)
    if learned is None and names is not None:
        raise HeldOutError(
            f"{run.path} does not say which clips it has learned from, so that clips of a list may be among them; give "
            "a run whose folder is complete, or no list"
        )
    index = select_clips(dataset, _test_set(dataset, run, any_split=names is not None, notes=notes))
    if names is not None:
        index = _listed(index, names, notes)
    index = _unknown_to(index, learned or frozenset(), run, notes)
    people = people_of(index.rows)
    return HeldOutClips(index=index, people=tuple(people), notes=tuple(notes))


def read_test_list(path: Path) -> tuple[str, ...]:
    """Return the names in a list of test videos: one a line, without those that begin with #, each once.

    A name is that of the video's file, with or without suffix; or a `video_id` or `clip_id` of the dataset.

    Raises:
        HeldOutError: the file cannot be read, or names nothing.
    """
    try:
        text = read_small(path, _LIST_BYTES).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise HeldOutError(f"{path} is no list of test videos: {error}; give a text file with a name a line") from error
    lines = (line.strip() for line in text.splitlines())
    names = tuple(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
    if not names:
        raise HeldOutError(f"{path} names no video; give a text file with the name of a video a line")
    return names


def _learned(run: RunFolder, notes: list[str]) -> frozenset[str] | None:
    """Return the names of the clips that the networks of a run have learned from; None where that is not known."""
    has_motion = run.holds(run.vae)
    wanted = [run.clips, *([run.vae_clips] if has_motion else [])]
    missing = [path.name for path in wanted if not run.holds(path)]
    names: set[str] = set()
    for path in wanted:
        if path.name in missing:
            continue
        try:
            names |= learned_names(path)
        except (OSError, ValueError) as error:
            raise HeldOutError(f"{path} cannot be read: {error}; copy the whole folder of the run again") from error
    if missing:
        what = "its VAE has learned from" if missing == [run.vae_clips.name] else "it has learned from"
        notes.append(f"{run.path} has no {' and no '.join(missing)}: which clips {what} is not known")
    elif run.holds(run.run_record) and any("data.clips" in change.changed for change in run.record().history):
        notes.append(f"{run.path} was resumed on other clips than it was begun with: only the last ones are known")
    return None if run.clips.name in missing else frozenset(names)


def _test_set(dataset: Path, run: RunFolder, *, any_split: bool, notes: list[str]) -> DataConfig:
    named = held_out_sources(run)
    sources = sources_in(dataset, named)
    if named and not sources:
        raise HeldOutError(
            f"{dataset} has no clip of the sources {', '.join(map(repr, named))}, which {run.path} holds out as its "
            "test set (data.test_sources); give the dataset that has them"
        )
    if sources:
        notes.append(f"tested on the sources {', '.join(sources)}, which the run holds out (data.test_sources)")
        return DataConfig(sources=sources, splits=SPLITS)
    if any_split:
        return DataConfig(splits=SPLITS)
    if not pc.any(pc.equal(read_table(dataset, "clips", ["split"])["split"], "test")).as_py():
        raise HeldOutError(
            f"{dataset} has no clip of split test to test {run.path} on: curate videos of more people, or train with "
            "--set data.test_sources=[SOURCE], which holds out a source"
        )
    notes.append("tested on the clips of split test")
    return DataConfig(splits=("test",))


def _listed(index: ClipIndex, names: Sequence[str], notes: list[str]) -> ClipIndex:
    """Return the clips whose video, file or own name is in the list."""
    columns = read_table(index.dataset, "clips", ["clip_id", "video_id", "path"])
    ids = index.rows["clip_id"].to_pylist()
    called = {
        clip_id: _names_of(clip_id, video_id, path)
        for clip_id, video_id, path in zip(*(column.to_pylist() for column in columns.columns), strict=True)
    }
    wanted = set(names)
    found = wanted & {other for name in ids for other in called.get(name, ())}
    if not found:
        raise HeldOutError(
            f"{index.dataset} has no clip of {count_text(len(names), 'video')} of the list, such as {names[0]!r}; "
            "curate them, and name them as their files are named"
        )
    if len(found) < len(wanted):
        first = next(name for name in names if name not in found)
        notes.append(f"{len(wanted) - len(found)} of {len(wanted)} listed videos have no clip, such as {first!r}")
    stays = np.array([not wanted.isdisjoint(called.get(name, ())) for name in ids], dtype=np.bool_)
    return _rows_of(index, stays)


def _names_of(clip_id: str, video_id: str, path: str) -> tuple[str, ...]:
    name = PurePosixPath(path_of_text(path).name)
    return clip_id, video_id, name.name, name.stem


def _unknown_to(index: ClipIndex, learned: Collection[str], run: RunFolder, notes: list[str]) -> ClipIndex:
    """Return the clips of people and near-duplicate videos that a run has not learned from."""
    rows = read_table(index.dataset, "clips", list(_OF_PERSON))
    known = rows.filter(pc.is_in(rows["clip_id"], pa.array(sorted(learned), pa.string())))
    if not len(known):
        return index
    groups = _duplicate_groups(index.dataset)
    taken = {one for kin in _kin(known, groups) for one in kin}
    stays: BoolArray = np.array([taken.isdisjoint(kin) for kin in _kin(index.rows, groups)], dtype=np.bool_)
    if not stays.any():
        raise HeldOutError(
            f"{run.path} has learned from the people in all of {count_text(len(index), 'clip')} that it could be "
            "tested on; give clips of other people, or train with --set data.test_sources=[SOURCE]"
        )
    if not stays.all():
        gone = index.rows.filter(pa.array(~stays))
        people = count_text(len(set(people_of(gone))), "person", "people")
        notes.append(f"{count_text(len(gone), 'clip')} of {people} left out: the run has learned from them")
    return _rows_of(index, stays)


def _duplicate_groups(dataset: Path) -> dict[str, str]:
    videos = read_table(dataset, "videos", ["video_id", "duplicate_group"])
    return dict(zip(*(column.to_pylist() for column in videos.drop_null().columns), strict=True))


def _kin(rows: pa.Table, groups: dict[str, str]) -> Iterator[tuple[str, ...]]:
    """Yield of each clip whom it shows, its video, and the group of the video's near-duplicates."""
    for person, video in zip(people_of(rows), rows["video_id"].to_pylist(), strict=True):
        group = groups.get(video)
        yield (person, f"video {video}", *([] if group is None else [f"group {group}"]))


def _rows_of(index: ClipIndex, stays: BoolArray) -> ClipIndex:
    return replace(index, rows=index.rows.filter(pa.array(stays)).combine_chunks())
