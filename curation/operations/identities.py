"""Who is who in a dataset: its faces become persons, which its clips then name."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from curation.identities.clip_faces import ClipFaces, read_clip_faces
from curation.identities.face_tracks import FaceTracks, read_face_tracks
from curation.identities.link_file import UserLinks, read_links
from curation.identities.table_rows import Before, person_rows, with_earlier, with_voices, without_voices
from curation.identities.voices import measured_voices
from curation.model_registry import VOICES
from curation.output.folder import DatasetFolder
from curation.output.sole_writer import sole_writer
from curation.speech.cards import VoiceCard
from foundation.text import count_text, shown, text_table
from foundation.weights import ensure_assets
from manifests.errors import DatasetError
from manifests.files.journal import finish_swap
from manifests.files.tables import read_table
from manifests.schema.identities import IDENTITIES

__all__ = ["IdentityReport", "find_identities"]

_SHOWN = 20
"""Rows that the report shows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IdentityReport:
    """What a clustering found."""

    persons: int
    """Persons that were told apart."""
    tracks: int
    """Face tracks with a descriptor."""
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
    split: str
    """Hours of each split, and what changed sides, in words."""

    def text(self) -> str:
        """Return the report as text for people."""
        new = f", {self.new_persons:,} of them new" if self.new_persons < self.persons else ""
        where = f"{count_text(self.tracks, 'face track')} of {count_text(self.videos, 'video')}"
        named = count_text(self.clips, "clip names its person", "clips name theirs")
        lines = [f"{count_text(self.persons, 'person', 'persons')}{new}, in {where}; {named}."]
        if self.unknown_clips:
            unknown = count_text(self.unknown_clips, "clip names", "clips name")
            lines.append(f"{unknown} none: no descriptor was taken of the face.")
        if self.voices is None:
            lines.append("Voices were not compared: --voices campplus does so.")
        else:
            lines.append(f"{count_text(self.voices, 'voice')} in the clips with speech.")
        if self.conflicts:
            lines.append(
                f"{count_text(len(self.conflicts), 'track has', 'tracks have')} something that does not fit; look at "
                "it:"
            )
            rows = [[video, str(track), person, what] for video, track, person, what in self.conflicts[:_SHOWN]]
            lines.append(
                text_table(["video", "track", "person", "what does not fit"], rows, numeric=[False, True, False, False])
            )
            if len(self.conflicts) > _SHOWN:
                lines.append("The others are in table `identities`, column `conflict`.")
        lines += ["", self.split]
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

    Persons and voices keep the ids that they had. The same faces and links give the same persons. Where the dataset
    keeps no descriptors (`privacy.keep_descriptors`), they are removed at the end, those of voices too, and the faces
    of later videos become persons beside those that are known already.

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
        before = Before.of(read_table(folder.path, IDENTITIES.name))
        rows = person_rows(tracks, clips, user, before, folder.settings.perception.identity, threads=threads)
        if card is not None:
            heard = measured_voices(folder.path, clips, card.load(), before.embeddings(tracks, clips, card.name))
            rows = with_voices(rows, heard, before, card.name, card.same_voice_cosine, threads=threads)
        if not folder.settings.privacy.keep_descriptors:
            rows = with_earlier(without_voices(rows), read_table(folder.path, IDENTITIES.name))
        folder.write_identities(rows)
        known = set(before.persons.values())
        return _report(rows, clips, known, folder.assignment.text(), compared=card is not None)


def _names(tracks: FaceTracks, clips: ClipFaces) -> dict[str, int]:
    """Return the names by which a file of links may call a track."""
    names = {f"{video}:{track}": number for (video, track), number in tracks.numbers.items()}
    shown_by = zip(clips.clip_id, clips.track.tolist(), strict=True)
    return names | {clip_id: track for clip_id, track in shown_by if track >= 0}


def _report(rows: pa.Table, clips: ClipFaces, known: set[str], split: str, *, compared: bool) -> IdentityReport:
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
        voices=len(set(rows["voice_id"].to_pylist()) - {None}) if compared else None,
        conflicts=tuple(
            (row["video_id"], row["track_id"], row["person_id"], row["conflict"]) for row in listed if row["conflict"]
        ),
        split=split,
    )
