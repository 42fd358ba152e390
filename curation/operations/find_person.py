"""Search for a person in a dataset by a photograph: the person's videos and clips, by descriptors of faces."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np

from curation.media.pictures import read_picture
from curation.model_registry import IDENTITIES
from curation.operations.seen_faces import SeenFaces, ShownClip
from curation.output.folder import DatasetFolder, DatasetFolderError
from curation.output.weights_used import perception_weights
from curation.perception.cards import IdentityCard
from curation.perception.models import face_landmarks, load_face_describer, load_face_finder, perception_assets
from curation.perception.protocols import FaceObservation
from curation.settings import CurationSettings
from foundation.array_types import Float32Array, RgbImage
from foundation.errors import UsageError
from foundation.text import clock_text, count_text, shown, text_table
from foundation.weights import ensure_assets
from manifests.errors import DatasetError
from manifests.files.descriptor_columns import holds_descriptors
from manifests.files.tables import read_table
from manifests.landmarks import key_points
from manifests.packing.one_state import Counted, counted_rows, in_one_state
from manifests.packing.packed_files import sources_of, table_inventory
from manifests.packing.rows import VideoRows
from manifests.record import find_dataset
from manifests.schema.clips import CLIPS
from manifests.schema.frames import FRAMES
from manifests.timeline import TICK_RATE_HZ

__all__ = ["FoundPerson", "PersonVideo", "find_person"]

_SURE_SHARE = 5 / 6
"""Distance up to which a face counts as that of the photograph, over the one beyond which a track is cut: 0.5 for
dlib's descriptor. On 177 videos of 146 people, docs/guides/privacy.md has what either finds."""

_COLUMNS = ("video_id", "tick", "track_id", "descriptor", "other_faces")


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonVideo:
    """A video in which a face like that of the photograph was seen."""

    video_id: str
    """The video, as in table `videos`."""
    path: str
    """Where its source was."""
    speaker_id: str | None
    """The speaker that the layout names; None where it names none."""
    distance: float
    """Euclidean distance of the nearest track's mean descriptor from that of the photograph."""
    first_s: float
    """When that track was first described."""
    clips: tuple[str, ...]
    """Names of the clips that show such a face, in order."""
    kept_s: float
    """Length of these clips, seconds."""
    other_clips: int
    """Clips of the video that show other people."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundPerson:
    """Videos of a dataset by the likeness of their faces to a photograph."""

    dataset: Path
    """The dataset that was searched."""
    photo: Path
    """The photograph."""
    face: RgbImage
    """The face in the photograph, with its surroundings."""
    max_distance: float
    """Largest distance at which a face counts as the person's."""
    compared: int
    """Number of videos with a descriptor."""
    videos: tuple[PersonVideo, ...]
    """Those of the person, the nearest first."""
    perhaps: tuple[PersonVideo, ...]
    """Those a little too far away, likewise."""
    perhaps_distance: float
    """Largest distance of these."""
    unfinished: tuple[str, ...]
    """Ids of videos that an earlier `forget` has begun to remove, when it was stopped."""
    incomplete: bool = False
    """Whether an earlier `forget` was stopped before it was done, be it that no such video is listed any more."""

    @property
    def video_ids(self) -> tuple[str, ...]:
        """Ids of all videos that are to be removed."""
        return (*(video.video_id for video in self.videos), *self.unfinished)

    def text(self) -> str:
        """Return who was found, as text for people."""
        compared = f"compared with those of {count_text(self.compared, 'video')}"
        lines = [f"{self.photo}: one face, {compared}; {self.max_distance:.2f} or less counts as the person."]
        if self.incomplete or self.unfinished:
            left = f": {count_text(len(self.unfinished), 'video')}" if self.unfinished else ""
            lines.append(f"Removal was begun before and is not complete{left}.")
        lines += _listed(
            f"Found in {count_text(len(self.videos), 'video')}:" if self.videos else "Found in no video.", self.videos
        )
        title = f"Perhaps, and not removed; --max-distance {self.perhaps_distance:.2f} takes them too:"
        lines += _listed(title, self.perhaps) if self.perhaps else []
        if any(video.other_clips for video in self.videos):
            lines.append("A video is removed whole, with the clips of other people in it.")
        speakers = sorted({video.speaker_id for video in self.videos if video.speaker_id is not None})
        if speakers:
            names = ", ".join(speakers)
            lines.append(f"Speakers of these videos: {names}. To keep later recordings out as well, give --speaker.")
        return shown("\n".join(lines), several_lines=True)


def find_person(dataset: str | Path, photo: str | Path, *, max_distance: float | None = None) -> FoundPerson:
    """Find the videos of a person by a photograph, with the models that the dataset was made with.

    Args:
        dataset: made by `run`, with descriptors.
        photo: a picture that shows one face.
        max_distance: largest Euclidean distance of descriptors that counts as the person. None: five sixths of the one
            beyond which a track is cut (`rules.tracks`): 0.5 for dlib's.

    Raises:
        DatasetError: `dataset` is no dataset, or holds no descriptors.
        DatasetFolderError: the models on this machine are others than those that it was made with.
        PictureError: the photograph cannot be read.
        UsageError: it shows no face, or several.
        MissingAssetsError: weights are missing and cannot be fetched.
        ChangingDatasetError: a command changes the dataset.
        OSError: it cannot be read.
    """
    folder = DatasetFolder.existing(dataset)
    settings, photo = folder.settings, Path(photo)
    incomplete = _is_incomplete(folder)
    if not incomplete and not holds_descriptors(folder.path, [FRAMES]):
        raise DatasetError(
            f"{folder.path} holds no descriptors of faces, so that nobody can be found by a picture; name "
            "the person by --speaker, or the videos by --video"
        )
    _require_same_models(folder)
    face, descriptor = _described(photo, settings)
    limit = settings.rules.tracks.max_distance(IDENTITIES.card(settings.perception.identity, IdentityCard))
    sure = _SURE_SHARE * limit if max_distance is None else max_distance
    limits = _Limits(sure=sure, perhaps=max(sure, limit))
    compared, near = in_one_state(folder.path, lambda counted: _compared(folder, descriptor, limits, counted))
    removals = folder.record.removals
    listed = {row.video_id for row in folder.rows()}
    begun = () if removals is None else sorted(one for one in listed if removals.has_video(one))
    near = sorted((video for video in near if video.video_id not in begun), key=lambda video: video.distance)
    return FoundPerson(
        dataset=folder.path,
        photo=photo,
        face=face,
        max_distance=sure,
        compared=compared,
        videos=tuple(video for video in near if video.distance <= sure),
        perhaps=tuple(video for video in near if video.distance > sure),
        perhaps_distance=limits.perhaps,
        unfinished=tuple(begun),
        incomplete=incomplete,
    )


def _is_incomplete(folder: DatasetFolder) -> bool:
    """Return whether removals are noted in the draft of the record alone: the command that noted them was stopped."""
    committed = find_dataset(folder.path, drafts=False)
    return folder.record.removals != (None if committed is None else committed.removals)


def _require_same_models(folder: DatasetFolder) -> None:
    """Fetch the models that measured the dataset.

    Raises:
        DatasetFolderError: those of this machine are others.
        MissingAssetsError: they are missing and cannot be fetched.
    """
    ensure_assets(perception_assets(folder.settings.perception))
    here = {weight.name: weight.sha256 for weight in perception_weights(folder.settings.perception)}
    recorded = {weight.name: weight.sha256 for weight in folder.record.weights if weight.role == "perception"}
    if differing := [name for name, digest in recorded.items() if here.get(name) != digest]:
        raise DatasetFolderError(
            f"{folder.path} was measured with other weights: {', '.join(differing)} differ, so that descriptors cannot "
            "be compared; go on with the packages and files of before"
        )


def _described(photo: Path, settings: CurationSettings) -> tuple[RgbImage, Float32Array]:
    """Return the face of a photograph with its surroundings, and its descriptor.

    Raises:
        UsageError: there is no face, or there are several.
    """
    picture = read_picture(photo)
    sure = settings.rules.several_faces.min_score
    found = load_face_finder(settings.perception)(picture)
    faces = [face for face in found if face.score >= sure] or found[:1]
    if len(faces) != 1:
        many = f"{len(faces)} faces were found" if faces else "no face was found"
        raise UsageError(f"--face {photo}: {many}; give a picture that shows the face of this one person")
    points = key_points(faces[0].landmarks_px, face_landmarks(settings.perception))
    describer = load_face_describer(settings.perception)
    return _cut_out(picture, faces[0]), describer(picture, points)


def _cut_out(picture: RgbImage, face: FaceObservation) -> RgbImage:
    x0, y0, x1, y1 = face.box_px
    centre_x, centre_y, reach = (x0 + x1) / 2, (y0 + y1) / 2, 0.8 * max(x1 - x0, y1 - y0)
    height, width = picture.shape[:2]
    left, right = (int(np.clip(centre_x + sign * reach, 0, width)) for sign in (-1, 1))
    top, bottom = (int(np.clip(centre_y + sign * reach, 0, height)) for sign in (-1, 1))
    return picture[top:bottom, left:right]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Limits:
    """Largest distances of descriptors."""

    sure: float
    perhaps: float


def _compared(
    folder: DatasetFolder, photo: Float32Array, limits: _Limits, counted: Counted
) -> tuple[int, list[PersonVideo]]:
    """Return how many videos have a descriptor, and those in which a face is near enough to the photograph's."""
    clips = defaultdict(list)
    columns = ["video_id", "clip_id", "start_s", "end_s"]
    for clip in counted_rows(read_table(folder.path, CLIPS.name, columns), counted).to_pylist():
        clips[clip["video_id"]].append(ShownClip(clip["clip_id"], clip["start_s"], clip["end_s"]))
    rows = {row.video_id: row for row in folder.rows() if row.status == "ok" and row.duplicate_of is None}
    sources = sources_of(table_inventory(folder.path, FRAMES))
    n_compared, near = 0, []
    with VideoRows(FRAMES, sources, _COLUMNS) as frames:
        for video_id in sorted(sources.keys() & (rows.keys() if counted is None else rows.keys() & counted)):
            seen = SeenFaces.of(frames.table_of(video_id))
            if not len(seen.descriptors):
                continue
            n_compared += 1
            found = _person_in(seen, photo, limits, clips[video_id])
            if found is not None:
                row = rows[video_id]
                near.append(PersonVideo(video_id=video_id, path=row.path, speaker_id=row.speaker_id, **found))
    return n_compared, near


class _Likeness(TypedDict):
    """Fields of `PersonVideo` that follow from the faces."""

    distance: float
    first_s: float
    clips: tuple[str, ...]
    kept_s: float
    other_clips: int


def _person_in(seen: SeenFaces, photo: Float32Array, limits: _Limits, clips: Sequence[ShownClip]) -> _Likeness | None:
    """Return where the person is in a video; None where no face is near enough."""
    distances = {
        track: float(np.linalg.norm(seen.descriptors[seen.tracks == track].mean(axis=0) - photo))
        for track in np.unique(seen.tracks).tolist()
    }
    nearest = min(distances, key=lambda track: distances[track])
    if distances[nearest] > limits.perhaps:
        return None
    limit = limits.sure if distances[nearest] <= limits.sure else limits.perhaps
    own = [track for track, distance in distances.items() if distance <= limit]
    shown = [clip for clip in clips if seen.shows(clip, own)]
    return _Likeness(
        distance=distances[nearest],
        first_s=float(seen.ticks[seen.tracks == nearest].min() / TICK_RATE_HZ),
        clips=tuple(clip.clip_id for clip in shown),
        kept_s=sum(clip.end_s - clip.start_s for clip in shown),
        other_clips=len(clips) - len(shown),
    )


def _listed(title: str, videos: Sequence[PersonVideo]) -> list[str]:
    """Return a table of videos with a title; the title alone where there are none."""
    rows = []
    for video in videos:
        clips = f"{len(video.clips)}, {video.kept_s:.1f} s" if video.clips else "none"
        clips += f"; {video.other_clips} of other people" if video.other_clips else ""
        rows.append([f"{video.distance:.2f}", clock_text(video.first_s), clips, video.video_id, video.path])
    if not rows:
        return [title]
    header = ["distance", "seen at", "clips", "video_id", "path"]
    return [title, text_table(header, rows, numeric=[True, True, False, False, False])]
