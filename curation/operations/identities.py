"""Who is who in a dataset: its faces become persons, which its clips then name."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from curation.identities.clip_faces import ClipFaces, read_clip_faces
from curation.identities.conflicts import conflicts_of
from curation.identities.face_tracks import FaceTracks, read_face_tracks
from curation.identities.limits import limits_of
from curation.identities.link_file import UserLinks, read_links
from curation.identities.person_ids import group_ids
from curation.identities.persons import persons_of_tracks
from curation.identities.voices import grouped_voices, measured_voices, voice_conflicts
from curation.model_registry import VOICES
from curation.output.folder import DatasetFolder
from curation.output.sole_writer import sole_writer
from curation.speech.cards import VoiceCard
from foundation.array_types import Float32Array
from foundation.text import shown, text_table
from foundation.weights import ensure_assets
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
    voices: int | None
    """Voices in the clips; None where they were not compared."""
    conflicts: tuple[tuple[str, int, str, str], ...]
    """Video id, track id, person and what does not fit, for each track with something that does not."""

    def text(self) -> str:
        """Return the report as text for people."""
        new = f", {self.new_persons:,} of them new" if self.new_persons < self.persons else ""
        found = f"{self.persons:,} persons{new}, in {self.tracks:,} face tracks of {self.videos:,} videos"
        lines = [f"{found}; {self.clips:,} clips name theirs."]
        if self.unknown_clips:
            lines.append(f"{self.unknown_clips:,} clips name none: no descriptor was taken of their face.")
        if self.voices is None:
            lines.append("Voices were not compared: --voices campplus does so.")
        else:
            lines.append(f"{self.voices:,} voices in the clips with speech.")
        if self.conflicts:
            lines.append(f"{len(self.conflicts):,} tracks have something that does not fit; look at them:")
            rows = [[video, str(track), person, what] for video, track, person, what in self.conflicts[:_SHOWN]]
            lines.append(
                text_table(["video", "track", "person", "what does not fit"], rows, numeric=[False, True, False, False])
            )
            if len(self.conflicts) > _SHOWN:
                lines.append("The others are in table `identities`, column `conflict`.")
        return "\n".join(shown(line) for part in lines for line in part.split("\n"))


def find_identities(
    dataset: str | Path,
    *,
    links: str | Path | None = None,
    voices: str = "none",
    threads: int = 2,
    wait: bool = False,
) -> IdentityReport:
    """Group the faces of a dataset into persons, and write them into `identities` and `clips`.

    Persons and voices keep the ids that they had. The same faces and links give the same persons.

    Args:
        dataset: made by `run` or `decide`, whose run has ended.
        links: CSV file of the user's, whose columns are `link` (must or cannot), `first` and `second`.
        voices: name of a voice model, built in (`campplus`) or registered: the voices in the clips of tier `diffusion`
            are compared too, and where they disagree with the faces is listed; `none`: they are not.
        threads: of the search for similar faces.
        wait: wait while another command writes to the dataset; otherwise such a command is an error.

    Raises:
        DatasetError: `dataset` is no dataset, is damaged, or has no descriptors; nothing is changed.
        LinkFileError: the file of links cannot be read, names no face, or contradicts itself; nothing is changed.
        UnknownModelError: no voice model has that name.
        MissingAssetsError: its weights are not on this machine, and cannot be fetched.
        LeaseHeldError: another command writes to it, and `wait` is false.
        OSError: a file cannot be read or written; the same call completes what was begun.
    """
    card = None if voices == "none" else VOICES.card(voices, VoiceCard)
    if card is not None:
        ensure_assets(card.asset_names)
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
        before = _Before.read(folder.path)
        rows = _person_rows(tracks, clips, user, before, folder.settings.perception.identity, threads)
        if card is not None:
            heard = measured_voices(folder.path, clips, card.load(), before.embeddings(tracks, clips, card.name))
            rows = _with_voices(rows, heard, before, card, threads)
        folder.write_identities(rows)
        return _report(rows, clips, set(before.persons.values()), compared=card is not None)


def _names(tracks: FaceTracks, clips: ClipFaces) -> dict[str, int]:
    """Return the names by which a file of links may call a track."""
    names = {f"{video}:{track}": number for (video, track), number in tracks.numbers.items()}
    shown_by = zip(clips.clip_id, clips.track.tolist(), strict=True)
    return names | {clip_id: track for clip_id, track in shown_by if track >= 0}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Before:
    """What an earlier call found, by video id and track id."""

    persons: Mapping[tuple[str, int], str]
    voices: Mapping[tuple[str, int], str]
    heard: Mapping[tuple[str, int], tuple[Sequence[str], str, Sequence[float]]]
    """Clips, voice model and embedding."""

    @classmethod
    def read(cls, dataset: Path) -> "_Before":
        """Read the table `identities`."""
        rows = {(row["video_id"], row["track_id"]): row for row in read_table(dataset, IDENTITIES.name).to_pylist()}
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


def _person_rows(
    tracks: FaceTracks,
    clips: ClipFaces,
    links: UserLinks,
    before: _Before,
    identity: str,
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
        "voice_model": [None] * n,
        "conflict": conflicts_of(persons, ids, speakers, limits),
    }
    schema = IDENTITIES.arrow_schema()
    return pa.table([pa.array(columns[field.name], field.type) for field in schema], schema=schema)


def _with_voices(
    rows: pa.Table, heard: Mapping[int, Float32Array], before: _Before, card: VoiceCard, threads: int
) -> pa.Table:
    """Return the rows of `identities` with the voices of tracks, and where they disagree with the faces."""
    if not heard:
        return rows
    voices = grouped_voices(heard, card.same_voice_cosine, threads=threads)
    facts = rows.select(["video_id", "track_id", "person_id", "conflict"]).to_pylist()
    keys = [(facts[track]["video_id"], facts[track]["track_id"]) for track in voices.track.tolist()]
    words = voice_conflicts(voices, [row["person_id"] for row in facts], card.same_voice_cosine)
    ids = dict(zip(voices.track.tolist(), group_ids(voices.group, keys, before.voices, "v"), strict=True))
    both = ["; ".join(filter(None, [row["conflict"], words.get(k)])) or None for k, row in enumerate(facts)]
    columns: dict[str, Sequence[object]] = {
        "voice_id": [ids.get(track) for track in range(len(facts))],
        "voice_embedding": [heard.get(track) for track in range(len(facts))],
        "voice_model": [card.name if track in heard else None for track in range(len(facts))],
        "conflict": both,
    }
    for name, values in columns.items():
        number = rows.schema.get_field_index(name)
        field = rows.schema.field(number)
        rows = rows.set_column(number, field, pa.array(values, field.type))
    return rows


def _report(rows: pa.Table, clips: ClipFaces, known: set[str], *, compared: bool) -> IdentityReport:
    listed = rows.select(["video_id", "track_id", "person_id", "conflict"]).to_pylist()
    persons = Counter(row["person_id"] for row in listed)
    return IdentityReport(
        persons=len(persons),
        tracks=len(rows),
        videos=len({row["video_id"] for row in listed}),
        clips=int((clips.track >= 0).sum()),
        unknown_clips=int((clips.track < 0).sum()),
        new_persons=len(persons.keys() - known),
        voices=len(set(rows["voice_id"].to_pylist()) - {None}) if compared else None,
        conflicts=tuple(
            (row["video_id"], row["track_id"], row["person_id"], row["conflict"]) for row in listed if row["conflict"]
        ),
    )
