"""Digests of the videos and people that were removed from a dataset, which recognise them and do not name them."""

import hashlib
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from manifests.files.names import Digest

__all__ = ["Removals"]

_ROUNDS = 10_000
"""Of PBKDF2: some milliseconds for a speaker."""


class SaltedDigests(BaseModel):
    """Digests of removed videos and people, all with one salt."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    salt: Digest
    """Random, hex: digests of two datasets cannot be compared."""
    videos: tuple[Digest, ...] = ()
    """Digests of each video's id, and of what all ids of its content have in common with its size, sorted. Ids follow
    from the content, so the owner of a file can compute them."""
    speakers: tuple[Digest, ...] = ()
    """A digest of each speaker's id, sorted. To try out ids is slow, which protects long ids and not short ones."""

    def holds_video(self, video_id: str) -> bool:
        """Return whether one of the digests is of this video."""
        return self._of_video(video_id) in self.videos

    def holds_speaker(self, speaker_id: str) -> bool:
        """Return whether one of the digests is of this person."""
        return bool(self.speakers) and self._of_speaker(speaker_id) in self.speakers

    def _of_video(self, video_id: str) -> str:
        return hashlib.sha256(f"{self.salt} {video_id}".encode()).hexdigest()[:32]

    def _of_speaker(self, speaker_id: str) -> str:
        salt = bytes.fromhex(self.salt)
        return hashlib.pbkdf2_hmac("sha256", speaker_id.encode(), salt, _ROUNDS, dklen=16).hex()


class Removals(SaltedDigests):
    """Removals by `gaia-curate forget`. Later runs skip them; the people and videos are not named."""

    also: tuple[SaltedDigests, ...] = ()
    """Removals of datasets that were merged into this one, which have salts of their own."""

    def has_video(self, video_id: str) -> bool:
        """Return whether this video was removed."""
        return any(digests.holds_video(video_id) for digests in (self, *self.also))

    def has_speaker(self, speaker_id: str) -> bool:
        """Return whether this person was removed."""
        return any(digests.holds_speaker(speaker_id) for digests in (self, *self.also))

    def merged(self, other: "Removals") -> "Removals":
        """Return these removals and those of another dataset."""
        by_salt: dict[str, tuple[set[str], set[str]]] = {}
        for one in (self, *self.also, other, *other.also):  # a dataset decided from another has its salt
            videos, speakers = by_salt.setdefault(one.salt, (set(), set()))
            videos.update(one.videos)
            speakers.update(one.speakers)
        own, *also = (
            SaltedDigests(salt=salt, videos=tuple(sorted(videos)), speakers=tuple(sorted(speakers)))
            for salt, (videos, speakers) in by_salt.items()
        )
        return Removals(salt=own.salt, videos=own.videos, speakers=own.speakers, also=tuple(also))

    def extended(self, videos: Iterable[str], speaker: str | None) -> "Removals":
        """Return these removals and those of videos, and of a person, by their ids."""
        people = () if speaker is None else (self._of_speaker(speaker),)
        return Removals(
            salt=self.salt,
            videos=tuple(sorted({*self.videos, *(self._of_video(video_id) for video_id in videos)})),
            speakers=tuple(sorted({*self.speakers, *people})),
            also=self.also,
        )
