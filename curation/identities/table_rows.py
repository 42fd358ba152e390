"""Rows of the table `identities`: the persons of tracks, their voices, and what does not fit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.identities.clip_faces import ClipFaces
from curation.identities.conflicts import conflicts_of
from curation.identities.face_limits import limits_of
from curation.identities.face_tracks import FaceTracks
from curation.identities.link_file import UserLinks
from curation.identities.person_ids import group_ids
from curation.identities.persons import persons_of_tracks
from curation.identities.voices import grouped_voices, voice_conflicts
from foundation.array_types import Float32Array
from manifests.schema.identities import IDENTITIES
from manifests.timeline import seconds_of_tick

__all__ = ["Before", "person_rows", "with_earlier", "with_voices", "without_voices"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Before:
    """What an earlier call found, by video id and track id."""

    persons: Mapping[tuple[str, int], str]
    voices: Mapping[tuple[str, int], str]
    heard: Mapping[tuple[str, int], tuple[Sequence[str], str, Sequence[float]]]
    """Clips, voice model and embedding."""

    @classmethod
    def of(cls, table: pa.Table) -> "Before":
        """Return what rows of the table `identities` say."""
        rows = {(row["video_id"], row["track_id"]): row for row in table.to_pylist()}
        return cls(
            persons={key: row["person_id"] for key, row in rows.items()},
            voices={key: row["voice_id"] for key, row in rows.items() if row["voice_id"]},
            heard={
                key: (row["clip_ids"], row["voice_model"], row["voice_embedding"])
                for key, row in rows.items()
                if row["voice_embedding"]
            },
        )

    def embeddings(self, tracks: FaceTracks, clips: ClipFaces, model: str) -> dict[int, Float32Array]:
        """Return by track the embeddings of this model of tracks that have the same clips."""
        shown_in, known = clips.of_tracks(), {}
        for key, track in tracks.numbers.items():
            if key in self.heard:
                clip_ids, its_model, embedding = self.heard[key]
                if its_model == model and list(clip_ids) == shown_in.get(track, []):
                    known[track] = np.array(embedding, dtype=np.float32)
        return known


def person_rows(
    tracks: FaceTracks,
    clips: ClipFaces,
    links: UserLinks,
    before: Before,
    identity: str,
    *,
    threads: int,
) -> pa.Table:
    """Return the rows of `identities`, without voices."""
    limits = limits_of(identity, tracks.length)
    speakers = clips.speakers()
    persons = persons_of_tracks(tracks, speakers, links, limits, threads=threads)
    keys = list(tracks.numbers)
    ids = group_ids(persons.group, keys, before.persons, "p")
    n = len(tracks)
    shown_in = clips.of_tracks()
    columns: dict[str, Sequence[object]] = {
        "video_id": tracks.video_id,
        "track_id": tracks.track_id.tolist(),
        "start_s": [seconds_of_tick(int(tick)) for tick in tracks.first_tick],
        "end_s": [seconds_of_tick(int(tick) + 1) for tick in tracks.last_tick],
        "n_descriptors": tracks.n_descriptors.tolist(),
        "clip_ids": [shown_in.get(track, []) for track in range(n)],
        "speaker_id": [speakers[track][1] if track in speakers else None for track in range(n)],
        "person_id": ids,
        "person_confidence": persons.confidence.tolist(),
        "voice_id": [None] * n,
        "voice_embedding": [None] * n,
        "voice_model": [None] * n,
        "conflict": conflicts_of(persons, ids, speakers, limits),
    }
    schema = IDENTITIES.arrow_schema()
    return pa.table([pa.array(columns[field.name], field.type) for field in schema], schema=schema)


def with_voices(
    rows: pa.Table, heard: Mapping[int, Float32Array], before: Before, model: str, limit: float, *, threads: int
) -> pa.Table:
    """Return the rows of `identities` with the voices of tracks, and where they disagree with the faces.

    Args:
        rows: of `identities`, one for each track.
        heard: by number of a track, its voice.
        before: what an earlier call found.
        model: name of the voice model.
        limit: mean cosine from which on two voices are one.
        threads: of the search.
    """
    if not heard:
        return rows
    voices = grouped_voices(heard, limit, threads=threads)
    facts = rows.select(["video_id", "track_id", "person_id", "conflict"]).to_pylist()
    keys = [(facts[track]["video_id"], facts[track]["track_id"]) for track in voices.track.tolist()]
    words = voice_conflicts(voices, [row["person_id"] for row in facts], limit)
    ids = dict(zip(voices.track.tolist(), group_ids(voices.group, keys, before.voices, "v"), strict=True))
    both = ["; ".join(filter(None, [row["conflict"], words.get(k)])) or None for k, row in enumerate(facts)]
    columns: dict[str, Sequence[object]] = {
        "voice_id": [ids.get(track) for track in range(len(facts))],
        "voice_embedding": [heard.get(track) for track in range(len(facts))],
        "voice_model": [model if track in heard else None for track in range(len(facts))],
        "conflict": both,
    }
    return _with_columns(rows, columns)


def without_voices(rows: pa.Table) -> pa.Table:
    """Return rows of `identities` without the embeddings of voices, which are as biometric as those of faces."""
    return _with_columns(rows, {"voice_embedding": [None] * len(rows)})


def _with_columns(rows: pa.Table, columns: Mapping[str, Sequence[object]]) -> pa.Table:
    for name, values in columns.items():
        number = rows.schema.get_field_index(name)
        field = rows.schema.field(number)
        rows = rows.set_column(number, field, pa.array(values, field.type))
    return rows


def with_earlier(rows: pa.Table, before: pa.Table) -> pa.Table:
    """Return rows of `identities` with the earlier ones of all other videos, whose descriptors are gone."""
    gone = pc.invert(pc.is_in(before["video_id"], value_set=rows["video_id"].combine_chunks()))
    joined = pa.concat_tables([before.filter(gone), rows])
    return joined.sort_by([("video_id", "ascending"), ("track_id", "ascending")])
