"""Who is who in a dataset: its faces become persons, which its clips then name."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from curation.identities.clip_faces import ClipFaces, read_clip_faces
from curation.identities.conflicts import conflicts_of
from curation.identities.face_tracks import FaceTracks, read_face_tracks
from curation.identities.limits import limits_of
from curation.identities.link_file import UserLinks, read_links
from curation.identities.person_ids import group_ids
from curation.identities.persons import persons_of_tracks
from curation.output.folder import DatasetFolder
from curation.output.sole_writer import sole_writer
from foundation.text import shown, text_table
from manifests.errors import DatasetError
from manifests.files.journal import finish_swap
from manifests.files.tables import read_table
from manifests.schema.identities import IDENTITIES
from manifests.timeline import seconds_of_tick

__all__ = ["IdentityReport", "find_identities"]

_SHOWN = 20
"""Rows that the report shows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IdentityReport:
    """What a clustering found."""

    persons: int
    tracks: int
    videos: int
    """Videos with a face that has a descriptor."""
    clips: int
    """Clips that have a person now."""
    unknown_clips: int
    """Clips of whose face no descriptor was taken."""
    new_persons: int
    """Persons whose id the dataset did not have before."""
    conflicts: tuple[tuple[str, int, str, str], ...]
    """Video id, track id, person and what does not fit, for each track with something that does not."""
    split: str
    """Hours of each split, and what changed sides, in words."""

    def text(self) -> str:
        """Return the report as text for people."""
        new = f", {self.new_persons:,} of them new" if self.new_persons < self.persons else ""
        lines = [
            f"{self.persons:,} persons{new}, in {self.tracks:,} face tracks of {self.videos:,} videos; {self.clips:,} "
            "clips name theirs."
        ]
        if self.unknown_clips:
            lines.append(f"{self.unknown_clips:,} clips name none: no descriptor was taken of their face.")
        if self.conflicts:
            lines.append(f"{len(self.conflicts):,} tracks have something that does not fit; look at them:")
            rows = [[video, str(track), person, what] for video, track, person, what in self.conflicts[:_SHOWN]]
            lines.append(
                text_table(["video", "track", "person", "what does not fit"], rows, numeric=[False, True, False, False])
            )
            if len(self.conflicts) > _SHOWN:
                lines.append("The others are in table `identities`, column `conflict`.")
        lines += ["", self.split]
        return "\n".join(shown(line) for part in lines for line in part.split("\n"))


def find_identities(
    dataset: str | Path, *, links: str | Path | None = None, threads: int = 2, wait: bool = False
) -> IdentityReport:
    """Group the faces of a dataset into persons, and write them into `identities` and `clips`.

    Persons keep the ids that they had. The same faces and links give the same persons. Where the dataset keeps no
    descriptors (`privacy.keep_descriptors`), they are removed at the end, and the faces of later videos become persons
    beside those that are known already.

    Args:
        dataset: made by `run` or `decide`, whose run has ended.
        links: CSV file of the user's, whose columns are `link` (must or cannot), `first` and `second`.
        threads: of the search for similar faces.
        wait: wait while another command writes to the dataset; otherwise such a command is an error.

    Raises:
        DatasetError: `dataset` is no dataset, is damaged, or has no descriptors; nothing is changed.
        LinkFileError: the file of links cannot be read, names no face, or contradicts itself; nothing is changed.
        LeaseHeldError: another command writes to it, and `wait` is false.
        OSError: a file cannot be read or written; the same call completes what was begun.
    """
    with sole_writer(dataset, "gaia-curate identities", wait=wait):
        folder = DatasetFolder.existing(dataset)
        finish_swap(folder.path)
        tracks = read_face_tracks(folder.path)
        if not len(tracks):
            raise DatasetError(
                f"{folder.path} holds no identity descriptors, by which faces are told apart; run the curation with "
                "descriptors kept"
            )
        clips = read_clip_faces(folder.path, tracks)
        user = UserLinks() if links is None else read_links(Path(links), _names(tracks, clips))
        before = _before(folder.path)
        rows = _rows(tracks, clips, user, before, folder.settings.perception.identity, threads)
        if not folder.settings.privacy.keep_descriptors:
            rows = _with_earlier(rows, read_table(folder.path, IDENTITIES.name))
        folder.write_identities(rows)
        return _report(rows, clips, set(before.values()), folder.assignment.text())


def _names(tracks: FaceTracks, clips: ClipFaces) -> dict[str, int]:
    """Return the names by which a file of links may call a track."""
    names = {f"{video}:{track}": number for (video, track), number in tracks.numbers.items()}
    shown_by = zip(clips.clip_id, clips.track.tolist(), strict=True)
    return names | {clip_id: track for clip_id, track in shown_by if track >= 0}


def _before(dataset: Path) -> dict[tuple[str, int], str]:
    rows = read_table(dataset, IDENTITIES.name, ["video_id", "track_id", "person_id"]).to_pylist()
    return {(row["video_id"], row["track_id"]): row["person_id"] for row in rows}


def _rows(
    tracks: FaceTracks,
    clips: ClipFaces,
    links: UserLinks,
    before: Mapping[tuple[str, int], str],
    identity: str,
    threads: int,
) -> pa.Table:
    """Return the rows of `identities`."""
    limits = limits_of(identity, tracks.length)
    speakers = clips.speakers()
    persons = persons_of_tracks(tracks, speakers, links, limits, threads=threads)
    keys = list(tracks.numbers)
    ids = group_ids(persons.group, keys, before, "p")
    n = len(tracks)
    shown_in = clips.of_tracks()
    columns: dict[str, Sequence[object]] = {
        "video_id": tracks.video_id,
        "track_id": tracks.track_id,
        "start_s": [seconds_of_tick(int(tick)) for tick in tracks.first_tick],
        "end_s": [seconds_of_tick(int(tick) + 1) for tick in tracks.last_tick],
        "n_descriptors": tracks.n_descriptors,
        "clip_ids": [shown_in.get(track, []) for track in range(n)],
        "speaker_id": [speakers[track][1] if track in speakers else None for track in range(n)],
        "person_id": ids,
        "person_confidence": persons.confidence,
        "voice_id": [None] * n,
        "voice_embedding": [None] * n,
        "conflict": conflicts_of(persons, ids, speakers, limits),
    }
    schema = IDENTITIES.arrow_schema()
    return pa.table([pa.array(columns[field.name], field.type) for field in schema], schema=schema)


def _with_earlier(rows: pa.Table, before: pa.Table) -> pa.Table:
    """Return rows of `identities` with the earlier ones of all other videos, whose descriptors are gone."""
    gone = pc.invert(pc.is_in(before["video_id"], value_set=rows["video_id"].combine_chunks()))
    joined = pa.concat_tables([before.filter(gone), rows])
    return joined.sort_by([("video_id", "ascending"), ("track_id", "ascending")])


def _report(rows: pa.Table, clips: ClipFaces, known: set[str], split: str) -> IdentityReport:
    listed = rows.select(["video_id", "track_id", "person_id", "conflict"]).to_pylist()
    named = len(rows["clip_ids"].combine_chunks().flatten())
    persons = Counter(row["person_id"] for row in listed)
    return IdentityReport(
        persons=len(persons),
        tracks=len(rows),
        videos=len({row["video_id"] for row in listed}),
        clips=named,
        unknown_clips=len(clips.track) - named,
        new_persons=len(persons.keys() - known),
        conflicts=tuple(
            (row["video_id"], row["track_id"], row["person_id"], row["conflict"]) for row in listed if row["conflict"]
        ),
        split=split,
    )
