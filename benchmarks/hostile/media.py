"""Clips that are no clips: texts that name other files, a day of silence, pictures of 200 MB, noise."""

import io
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.hostile.fields import Field
from benchmarks.hostile.judged import SYSTEMS
from benchmarks.hostile.material import CANARY, Place
from benchmarks.hostile.values import Value
from curation.media.encode import encode_flac, encode_mp4
from manifests.files.media import sha256_of
from manifests.files.tar import write_tar
from manifests.schema.clips import CLIPS

__all__ = ["media_of", "rated_of"]

_MORE = "media/more.tar"
"""Tar that holds the spoiled clip."""


def media_of(place: Place) -> Iterator[Field]:
    """Yield the files of clips with content of every kind; offsets, sizes and digests are right."""
    rows = {
        kind: next(path for path in sorted((place.sound / "dataset" / "clips").glob("*.parquet")) if has(path))
        for kind, has in (("mp4", Path.exists), ("flac", _has_sound))
    }
    for kind, path in rows.items():
        contents = _contents(place, kind)

        def put(
            place: Place,
            value: Value,
            kind: str = kind,
            contents: dict[str, Callable[[], bytes]] = contents,
            name: str = path.name,
        ) -> None:
            _put_member(place.dataset, name, kind, contents[value.kind]())

        yield Field(
            "dataset",
            f"clips/{path.name}",
            f"<clip>.{kind}",
            tuple(Value(one, None) for one in contents),
            put,
            whole=True,
            words=(_MORE,),
        )


def rated_of(place: Place) -> Iterator[Field]:
    """Yield the file of a video that is to be rated, with content of every kind."""
    name = f"{SYSTEMS[0]}/a.mp4"
    contents = _contents(place, "mp4")

    def put(place: Place, value: Value) -> None:
        (place.outputs / name).write_bytes(contents[value.kind]())

    yield Field("outputs", name, "(content)", tuple(Value(one, None) for one in contents), put, whole=True)


def _has_sound(path: Path) -> bool:
    return bool(pq.read_table(path, columns=["flac_size"])["flac_size"].null_count == 0)


def _put_member(dataset: Path, clips: str, kind: str, content: bytes) -> None:
    table = pq.read_table(dataset / "clips" / clips)
    row = table.slice(0, 1).to_pylist()[0]
    tar = dataset / _MORE
    whole = (dataset / row["media"]).read_bytes()
    members = []
    for one in ("mp4", "flac"):
        if row[f"{one}_size"] is not None:
            offset = row[f"{one}_offset"]
            members.append((f"{row['clip_id']}.{one}", whole[offset : offset + row[f"{one}_size"]]))
    members = [(name, content if name.endswith(kind) else old) for name, old in members]
    ranges = write_tar(tar, members)
    changes: dict[str, object] = {"media": _MORE}
    for (name, new), where in zip(members, ranges, strict=True):
        one = name.rpartition(".")[2]
        changes |= {f"{one}_offset": where.offset, f"{one}_size": where.size, f"{one}_sha256": sha256_of(new)}
    for column, value in changes.items():
        if column in table.column_names:
            number, values = table.schema.get_field_index(column), table[column].to_pylist()
            values[0] = value
            table = table.set_column(
                number, table.schema.field(number), pa.array(values, table.schema.field(number).type)
            )
    with (dataset / "clips" / clips).open("wb") as stream:
        pq.write_table(table, stream, row_group_size=CLIPS.row_group_rows, compression="zstd")


def _contents(place: Place, kind: str) -> dict[str, Callable[[], bytes]]:
    target = place.outside[0] / f"{CANARY}.mp4"
    texts = {
        "SDP": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 45678 RTP/AVP 96\n"
        "a=rtpmap:96 H264/90000\n",
        "playlist": f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{target}\n#EXT-X-ENDLIST\n",
        "playlist of the web": "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nhttp://127.0.0.1:9/a.ts\n",
        "concat": f"ffconcat version 1.0\nfile '{target}'\n",
        "DASH": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><AdaptationSet>'
        f"<Representation><BaseURL>{target}</BaseURL></Representation></AdaptationSet></Period></MPD>",
        "SVG": f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{target}"/></svg>',
        "empty": "",
    }
    found: dict[str, Callable[[], bytes]] = {name: text.encode for name, text in texts.items()}
    found |= {"link of QuickTime": lambda: _quicktime_link(str(target)), "noise": lambda: _noise(10_000)}
    if kind == "flac":
        found["a day of silence"] = lambda: _kept(place, "silence", _silence)
        found["of another rate"] = lambda: encode_flac(np.zeros(96_000, np.float32), 96_000)
    else:
        found["one large picture"] = lambda: _kept(place, "large", _large)
        found["many pictures"] = lambda: _kept(place, "many", _many)
    return found


def _noise(size: int) -> bytes:
    return np.random.default_rng(1).bytes(size)


def _kept(place: Place, name: str, make: Callable[[], bytes]) -> bytes:
    """Return content that takes a while to make, and is therefore made once."""
    path = place.folder / name
    if not path.exists():
        path.write_bytes(make())
    return path.read_bytes()


def _large() -> bytes:
    return encode_mp4([np.zeros((8192, 8192, 3), np.uint8)], 8192)


def _many() -> bytes:
    return encode_mp4((np.zeros((64, 64, 3), np.uint8) for _ in range(10_000)), 64)


def _silence() -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="flac") as output:
        stream = output.add_stream("flac", rate=16_000, layout="mono", options={"frame_size": "65535"})
        block = np.zeros((1, 65_535), np.int16)
        for number in range(24 * 3600 * 16_000 // 65_535):
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            frame.rate, frame.pts = 16_000, number * 65_535
            for packet in stream.encode(frame):
                output.mux(packet)
        for packet in stream.encode(None):
            output.mux(packet)
    return buffer.getvalue()


def _quicktime_link(target: str) -> bytes:
    def box(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(content), kind) + content

    url = box(b"rdrf", bytes(4) + b"url " + struct.pack(">I", len(target) + 8) + f"file://{target}\0".encode())
    return box(b"ftyp", b"qt  \0\0\0\0qt  ") + box(b"moov", box(b"rmra", box(b"rmda", url)))
