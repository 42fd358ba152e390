"""One clip of a dataset: its row, its frames, its audio and its arrays."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from foundation.array_types import Float32Array, Float64Array
from foundation.storage.path_text import path_of_text
from foundation.text import count_text
from manifests.errors import DatasetError
from manifests.files.cells import bad_cells
from manifests.files.media import MediaError, frames_at, read_audio
from manifests.files.names import UnsafeValueError
from manifests.files.tables import read_row
from manifests.files.tar import MemberRange, read_member
from manifests.files.transcript import Transcript
from manifests.landmarks import landmark_scheme
from manifests.limits import MAX_CLIP_FRAMES
from manifests.schema.arrow_arrays import numpy_of
from manifests.schema.clips import CLIPS, TRANSCRIPT_COLUMNS
from manifests.timeline import TICK_RATE_HZ

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Clip"]

ReadT = TypeVar("ReadT")

_LOOKS = 5
"""Times that a clip is looked for which is put into other files while it is read."""

_CONTOUR_COLOUR, _POINT_COLOUR = "lime", "yellow"


class Clip:
    """Clip of a dataset, opened by `Dataset.clip`. Each method reads from storage; nothing is cached.

    Attributes:
        clip_id: name of the clip, `<video_id>-<first tick>-<last tick>`.
        n_frames: number of frames N.
        times_s: (N,) time of each frame in the source video, seconds after the video's first frame.
        row: every scalar column of table `clips`, by name.
    """

    def __init__(
        self, dataset: Path, clip_id: str, place: tuple[Path, int], place_now: Callable[[str], tuple[Path, int]]
    ) -> None:
        """Open a clip.

        Args:
            dataset: the folder or address.
            clip_id: its name.
            place: a Parquet file of table `clips`, and the number of its row there.
            place_now: returns this anew, after a command has put the clip into other files.

        Raises:
            DatasetError: it is not there any more, or a file is damaged.
        """
        self._dataset, self._place_now = dataset, place_now
        self.clip_id = clip_id
        for look in range(_LOOKS + 1):
            try:
                self._take(place)
                break
            except DatasetError:
                if look == _LOOKS:
                    raise
                place = place_now(clip_id)
        self.n_frames = int(cast("int", self.row["n_frames"]))
        if not 0 < self.n_frames <= MAX_CLIP_FRAMES:
            raise DatasetError(
                f"{self._file}: clip {clip_id} has {self.n_frames:,} frames, clips have 1 to {MAX_CLIP_FRAMES:,}; run "
                "`gaia-curate validate`"
            )
        first_tick = round(cast("float", self.row["start_s"]) * float(TICK_RATE_HZ))
        self.times_s: Float64Array = (first_tick + np.arange(self.n_frames)) / float(TICK_RATE_HZ)

    def _take(self, place: tuple[Path, int]) -> None:
        """Read the row.

        Raises:
            DatasetError: it is that of another clip, or cannot be read.
        """
        file, number = place
        rows = read_row(file, CLIPS.name, number, CLIPS.scalars())
        (row,) = rows.to_pylist()
        if row["clip_id"] != self.clip_id:
            raise DatasetError(f"{file}: row {number} is clip {row['clip_id']}, not {self.clip_id}")
        for wrong in bad_cells(CLIPS, rows):
            raise DatasetError(f"{file}: clip {self.clip_id}: {wrong}; run `gaia-curate validate`")
        self._file, self._number = file, number
        self.row: Mapping[str, str | int | float | None] = MappingProxyType(row)

    def _where_it_is(self, read: Callable[[], ReadT], error: type[Exception]) -> ReadT:
        """Return what `read` returns, once the clip is found where a command has put it meanwhile."""
        for look in range(_LOOKS):
            try:
                return read()
            except error:
                if not self._moved() and look:  # the first time it may have been moved there and back
                    raise
        return read()

    def _moved(self) -> bool:
        """Look for the clip again; return whether it is in other files now."""
        before = self._file, self._number
        try:
            place = self._place_now(self.clip_id)
        except DatasetError:
            return False
        media = self.row["media"]
        with suppress(DatasetError):  # it has been moved once more
            self._take(place)
        return before != place or media != self.row["media"]

    def __repr__(self) -> str:
        row = self.row
        length_s = float(self.n_frames / TICK_RATE_HZ)
        name = path_of_text(str(row["path"])).name
        return (
            f"Clip {self.clip_id!r}: {length_s:g} s of {name} from {row['start_s']:g} s, "
            f"{count_text(self.n_frames, 'frame')}, tier {row['tier']}, split {row['split']}"
        )

    def __len__(self) -> int:
        return self.n_frames

    def frames(self, numbers: Sequence[int] | None = None) -> npt.NDArray[np.uint8]:
        """Decode the frames of the clip.

        Args:
            numbers: (n,) frames to decode, rising, counted from 0; None decodes all.

        Returns:
            (n, S, S, 3) RGB; S is the setting `crop.size_px` of the dataset, 256 by default.

        Raises:
            MediaError: a frame is missing or damaged, or the media archive cannot be read.
        """
        mp4 = self.mp4()
        try:
            return frames_at(mp4, range(self.n_frames) if numbers is None else numbers)
        except MediaError as error:
            raise MediaError(f"{self.clip_id}: {self.row['media']}: {error}") from error

    def audio(self) -> Float32Array | None:
        """Decode the audio of the clip.

        Returns:
            (640 N,) mono samples at 16 kHz, -1 to 1; None where the video has no audio.

        Raises:
            MediaError: the audio is damaged, or the media archive cannot be read.
        """
        flac = self.flac()
        try:
            return None if flac is None else read_audio(flac)[0]
        except MediaError as error:
            raise MediaError(f"{self.clip_id}: {self.row['media']}: {error}") from error

    def landmarks(self) -> Float32Array:
        """Return the (N, K, 2) landmarks, pixels of the frames; `row["landmark_scheme"]` numbers the K."""
        return self._required("landmarks")

    def pose(self) -> Float32Array:
        """Return the (N, 3) pitch, yaw and roll of the head in degrees."""
        return self._required("pose_deg")

    def blendshapes(self) -> Float32Array | None:
        """Return the (N, 52) ARKit-like coefficients, 0 to 1; None where the landmark model gives none."""
        return self._array("blendshapes")

    def speech_features(self) -> Float32Array | None:
        """Return the (N, D) speech features, row k about frame k; None for a clip without them."""
        return self._array("speech_features")

    def transcript(self) -> Transcript | None:
        """Return what is said in the clip; None where nothing wrote it down.

        Raises:
            DatasetError: the row cannot be read, or states what no transcript can.
        """
        columns = list(TRANSCRIPT_COLUMNS)
        (row,) = self._where_it_is(
            lambda: read_row(self._file, CLIPS.name, self._number, columns).to_pylist(), DatasetError
        )
        try:
            return Transcript.of_row(row)
        except UnsafeValueError as error:
            raise DatasetError(f"{self._file}: clip {self.clip_id}: {error}; run `gaia-curate validate`") from error

    def identity(self) -> Float32Array | None:
        """Return the (D,) mean identity descriptor of the speaker; None where none was measured."""
        return self._array("identity")

    def mp4(self) -> bytes:
        """Return the bytes of the clip's video file: H.264, square, 25 frames per second.

        Raises:
            MediaError: the media archive cannot be read.
        """
        content = self._member("mp4")
        if content is None:
            raise MediaError(f"{self.clip_id}: it has no video; run `gaia-curate validate`")
        return content

    def flac(self) -> bytes | None:
        """Return the bytes of the clip's audio file; None where the video has no audio.

        Raises:
            MediaError: the media archive cannot be read.
        """
        return self._member("flac")

    def contact_sheet(self, every: int = 25, n_columns: int = 5) -> "Image":
        """Draw frames of the clip with their landmarks and times on one image, which a notebook displays.

        Args:
            every: step between the frames; 25 shows one a second.
            n_columns: frames side by side.

        Raises:
            MediaError: a frame cannot be decoded.
            DatasetError: the landmarks cannot be read.
        """
        from PIL import Image

        numbers = range(0, self.n_frames, every)
        points_px = self.landmarks()[::every]
        n_columns = min(n_columns, len(numbers))
        frames = self.frames(numbers)
        size_px = frames.shape[1]
        sheet = Image.new("RGB", (n_columns * size_px, -(-len(numbers) // n_columns) * size_px), "white")
        for number, (pixels, points, time_s) in enumerate(zip(frames, points_px, self.times_s[::every], strict=True)):
            tile = Image.fromarray(pixels)
            self._draw(tile, points, f"{time_s:.2f} s")
            sheet.paste(tile, (number % n_columns * size_px, number // n_columns * size_px))
        return sheet

    def _draw(self, tile: "Image", points_px: Float32Array, caption: str) -> None:
        from PIL import ImageDraw

        pen = ImageDraw.Draw(tile)
        scheme = landmark_scheme(str(self.row["landmark_scheme"]))
        closed = (scheme.right_eye, scheme.left_eye, scheme.outer_lips, scheme.inner_lips)
        for contour in (*((*line, line[0]) for line in closed), scheme.jaw):
            pen.line([(float(x), float(y)) for x, y in points_px[list(contour)]], fill=_CONTOUR_COLOUR)
        pen.point([(float(x), float(y)) for x, y in points_px], fill=_POINT_COLOUR)
        pen.text((4, 4), caption, fill="white", stroke_width=1, stroke_fill="black")

    def _required(self, column: str) -> Float32Array:
        array = self._array(column)
        if array is None:
            raise DatasetError(f"{self._file}: clip {self.clip_id} has no {column}; run `gaia-curate validate`")
        return array

    def _array(self, column: str) -> Float32Array | None:
        return self._where_it_is(lambda: self._read_array(column), DatasetError)

    def _read_array(self, column: str) -> Float32Array | None:
        try:
            (array,) = numpy_of(read_row(self._file, CLIPS.name, self._number, [column])[column])
        except ValueError as error:
            raise DatasetError(f"{self._file}: clip {self.clip_id}: column {column}: {error}") from error
        return None if array is None else array.astype(np.float32)

    def _member(self, kind: str) -> bytes | None:
        return self._where_it_is(lambda: self._read_member(kind), MediaError)

    def _read_member(self, kind: str) -> bytes | None:
        row: Mapping[str, Any] = self.row
        if row[f"{kind}_offset"] is None:
            return None
        try:
            where = MemberRange(offset=row[f"{kind}_offset"], size=row[f"{kind}_size"])
        except MediaError as error:
            raise DatasetError(
                f"{self._file}: clip {self.clip_id}: {kind}: {error}; run `gaia-curate validate`"
            ) from error
        try:
            return read_member(self._dataset, row["media"], where)
        except MediaError as error:
            raise MediaError(f"{self.clip_id}: {error}") from error
