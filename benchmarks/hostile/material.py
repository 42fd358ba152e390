"""A sound dataset and two run folders, from which every case begins, and the canaries beside them.

    FOLDER/raw/                    three short videos, one that is none, a copy, one of a person who is left out
    FOLDER/sound/dataset, vae, motion, judged, outputs
    FOLDER/place/                  the copy that a case spoils, with what the commands make beside it
    FOLDER/place/outside, FOLDER/outside
                                   canaries: nothing may open or change them

Beside the dataset and one folder above it, so that a name that climbs out of the dataset, or out of a folder of it,
arrives at a canary. Each has `twin/`, a whole copy of the sound material, so that a link to it is not refused for what
it leads to.
"""

import io
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from PIL import Image

from curation.media.encode import encode_flac, encode_mp4
from foundation.array_types import Float32Array, RgbImage
from foundation.storage.leases import is_lease_file

__all__ = ["CANARY", "DIFFUSION", "OUTSIDE", "RUN", "VAE", "Place", "make_canaries", "make_sources"]

OUTSIDE = "outside"

CANARY = "canary"
"""Name of the canaries, with every suffix that a dataset or a run has."""

_SUFFIXES = ("", ".json", ".parquet", ".tar", ".mp4", ".flac", ".safetensors", ".new", ".tmp")

_PX = 320
"""Size of the made videos."""

RUN = ("--set=crop.size_px=64", "--set=speech.denoiser=none", "--set=speech.transcript=whisper-tiny.en")
"""Settings of the sound dataset."""

_LABELS = "CC BY 4.0,form 17,en,20-30,Female,type iii"
"""What the list states of every video."""

_TRAIN = (
    "--size=tiny",
    "--device=cpu",
    "--set=train.steps=2",
    "--set=train.batch=4",
    "--set=train.micro_batch=4",
    "--set=train.workers=0",
    "--set=train.tensorboard=false",
    "--set=train.checkpoint_every=1",
)

VAE = (
    *_TRAIN,
    "--set=model.width=4",
    "--set=model.multipliers=[1,1,1]",
    "--set=model.groups=2",
    "--set=model.image_px=32",
    "--set=discriminator.width=8",
    "--set=discriminator.groups=4",
    "--set=check_pairs=2",
)
"""Settings of the small VAE."""

DIFFUSION = (*_TRAIN, "--set=model.width=64", "--set=model.layers=1", "--set=model.ffn_width=64")
"""Settings of the small motion model."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Folders of a campaign."""

    folder: Path

    @property
    def raw(self) -> Path:
        """Source videos."""
        return self.folder / "raw"

    @property
    def source_list(self) -> Path:
        """List of the source videos, with speakers and stretches."""
        return self.folder / "list.csv"

    @property
    def excluded(self) -> Path:
        """List of people to leave out."""
        return self.folder / "excluded.txt"

    @property
    def portrait(self) -> Path:
        """Picture of a person."""
        return self.folder / "portrait.png"

    @property
    def speech(self) -> Path:
        """A second of speech."""
        return self.folder / "speech.flac"

    @property
    def sound(self) -> Path:
        """The material as the commands made it."""
        return self.folder / "sound"

    @property
    def place(self) -> Path:
        """Folder in which a case happens."""
        return self.folder / "place"

    @property
    def dataset(self) -> Path:
        """Dataset of a case."""
        return self.place / "dataset"

    @property
    def vae(self) -> Path:
        """Run folder of the VAE of a case."""
        return self.place / "vae"

    @property
    def motion(self) -> Path:
        """Run folder of the motion model of a case."""
        return self.place / "motion"

    @property
    def judged(self) -> Path:
        """What people said of a case: labels of stretches, ratings of videos and the key to these."""
        return self.place / "judged"

    @property
    def outputs(self) -> Path:
        """Folders with the videos of two systems of a case, which people are to rate."""
        return self.place / "outputs"

    @property
    def made(self) -> Path:
        """Where the commands of a case write what they make anew."""
        return self.place / "made"

    @property
    def outside(self) -> tuple[Path, Path]:
        """Folders of canaries, the nearer one first."""
        return self.place / OUTSIDE, self.folder / OUTSIDE

    def renew(self) -> None:
        """Put the sound material in place of what a case left."""
        for path in self.place.iterdir():
            if path.name != OUTSIDE:
                _remove(path)
        for folder in self.sound.iterdir():
            shutil.copytree(folder, self.place / folder.name, symlinks=True)
        self.made.mkdir()

    def state(self) -> frozenset[tuple[object, ...]]:
        """Return what every file and folder of the spoiled material is; contents are told by size and time."""
        found = []
        for folder in (path for path in self.place.iterdir() if path.name not in (OUTSIDE, self.made.name)):
            for path in (folder, *folder.rglob("*")):
                stat = path.lstat()
                size = () if path.is_dir() else (stat.st_size, stat.st_mtime_ns)
                found.append((str(path), stat.st_ino, stat.st_mode, *size))
        return frozenset(found)

    def made_files(self) -> list[str]:
        """Return the names of what a command made in its new place, without signs that a folder is taken."""
        return sorted(path.name for path in self.made.iterdir() if not is_lease_file(path.name) and _holds(path))

    def clear_made(self) -> None:
        """Remove what a command made."""
        for path in self.made.iterdir():
            _remove(path)


def _holds(path: Path) -> bool:
    """Return whether a path is more than a folder that is empty but for signs that it is taken."""
    if not path.is_dir() or path.is_symlink():
        return True
    return any(not is_lease_file(one.name) for one in path.rglob("*") if not one.is_dir())


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def make_canaries(place: Place) -> None:
    """Write the canaries anew."""
    for outside in place.outside:
        if outside.exists():
            shutil.rmtree(outside)
        outside.mkdir(parents=True)
        shutil.copytree(place.sound, outside / "twin")
        for suffix in _SUFFIXES:
            (outside / f"{CANARY}{suffix}").write_bytes(_content(place, suffix))
        (outside / "folder").mkdir()
        (outside / "folder" / f"{CANARY}.json").write_text("{}")


def _content(place: Place, suffix: str) -> bytes:
    """Return what a file of that suffix may hold in earnest."""
    if suffix in (".mp4", ".flac"):
        return (place.raw / "a.mp4").read_bytes()
    found = sorted(place.sound.rglob(f"*{suffix}")) if suffix else []
    return found[0].read_bytes() if found and found[0].is_file() else b"nobody may read this\n"


def make_sources(place: Place, sample: Path) -> int:
    """Cut the source videos out of the sample video, and write the lists; return 0."""
    place.raw.mkdir(parents=True)
    pictures, voice = list(_pictures(sample, 90)), _voice(sample)
    for name, n_frames, sound in (("a", 85, True), ("b", 84, False), ("c", 80, True), ("f", 30, False)):
        begin = (ord(name) - ord("a")) % 5
        content = encode_mp4(pictures[begin : begin + n_frames], _PX)
        (place.raw / f"{name}.mp4").write_bytes(content)
        if sound:
            flac = encode_flac(voice[begin * 1920 : (begin + n_frames) * 1920], 48_000)
            _with_sound(place.raw / f"{name}.mp4", flac)
    (place.raw / "d.mp4").write_text("no video")
    shutil.copy(place.raw / "a.mp4", place.raw / "e.mp4")
    rows = ("a,p1,,", "b,p2,0,3.2", "c,p3,,", "d,p4,,", "e,p1,,", "f,p9,,")
    lines = [f"{place.raw}/{row.replace(',', '.mp4,', 1)},{_LABELS}" for row in rows]
    header = "path,speaker_id,start_s,end_s,licence,consent,language,age,gender,skin_type"
    place.source_list.write_text("\n".join([header, *lines, ""]))
    place.excluded.write_text("p9\n")
    Image.fromarray(pictures[0]).save(place.portrait)
    place.speech.write_bytes(encode_flac(voice[:62_400], 48_000))
    return 0


def _pictures(sample: Path, n: int) -> Iterator[RgbImage]:
    with av.open(str(sample)) as container:
        for _, frame in zip(range(n), container.decode(video=0), strict=False):
            face = Image.fromarray(frame.to_ndarray(format="rgb24")).crop((0, 24, 400, 424))
            yield np.asarray(face.resize((_PX, _PX)), np.uint8)


def _voice(sample: Path) -> Float32Array:
    resampler = av.AudioResampler(format="flt", layout="mono", rate=48_000)
    with av.open(str(sample)) as container:
        parts = [part.to_ndarray()[0] for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    return np.concatenate(parts)[: 48_000 * 5].astype(np.float32)


def _with_sound(path: Path, flac: bytes) -> None:
    """Put a sound track beside the pictures of an MP4 file."""
    with av.open(io.BytesIO(path.read_bytes())) as pictures, av.open(io.BytesIO(flac)) as sound:
        sources = (pictures, pictures.streams.video[0]), (sound, sound.streams.audio[0])
        with av.open(str(path), "w") as out:
            tracks = [out.add_stream_from_template(stream) for _, stream in sources]
            for (container, stream), track in zip(sources, tracks, strict=True):
                for packet in container.demux(stream):  # type: ignore[union-attr] # av.open returns either
                    if packet.dts is not None:
                        packet.stream = track
                        out.mux(packet)
