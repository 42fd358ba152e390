"""Files and folders that are not what they should be: links, pipes, sockets, devices, too short, too deep, too large."""

import json
import os
import pickle
import shutil
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.hostile.fields import Field, kind_of_file
from benchmarks.hostile.material import CANARY, OUTSIDE, Place
from benchmarks.hostile.values import Value, texts
from curation.media.encode import encode_flac, encode_mp4
from manifests.files.journal import JOURNAL, Swap, hidden_name
from manifests.files.media import sha256_of
from manifests.files.tar import write_tar
from manifests.schema.clips import CLIPS
from manifests.schema.tables import TABLES

__all__ = ["bombs_of", "files_of", "journals_of", "media_of"]

Spoil = Callable[[Path, Path], None]
"""Spoil a file or folder, given its twin outside."""


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _link(to: Callable[[Path, Path], Path | str]) -> Spoil:
    def spoil(path: Path, twin: Path) -> None:
        target = to(path, twin)
        _remove(path)
        path.symlink_to(target)

    return spoil


def _pipe(path: Path, _twin: Path) -> None:
    _remove(path)
    os.mkfifo(path)


def _socket(path: Path, _twin: Path) -> None:
    _remove(path)
    here = Path.cwd()
    os.chdir(path.parent)  # the address of a socket has little room
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(path.name[:90])
    os.chdir(here)
    if len(path.name) > 90:
        (path.parent / path.name[:90]).rename(path)


def _device(path: Path, _twin: Path) -> None:
    _remove(path)
    try:
        os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))
    except PermissionError:
        path.symlink_to("/dev/zero")


def _folder(path: Path, _twin: Path) -> None:
    _remove(path)
    path.mkdir()


def _file(path: Path, _twin: Path) -> None:
    _remove(path)
    path.write_bytes(b"no folder")


def _bytes(content: Callable[[bytes], bytes]) -> Spoil:
    def spoil(path: Path, _twin: Path) -> None:
        path.write_bytes(content(path.read_bytes()))

    return spoil


_ANY: dict[str, Spoil] = {
    "link out": _link(lambda _, twin: twin),
    "relative link out": _link(lambda path, twin: os.path.relpath(twin, path.parent)),
    "dangling link": _link(lambda path, _: path.with_name("nowhere")),
    "link to itself": _link(lambda path, _: path.name),
    "link to endless zeros": _link(lambda *_: "/dev/zero"),
    "pipe": _pipe,
    "socket": _socket,
    "device": _device,
}

_FILES: dict[str, Spoil] = {
    **_ANY,
    "folder": _folder,
    "empty": _bytes(lambda _: b""),
    "half": _bytes(lambda content: content[: len(content) // 2]),
    "noise": _bytes(lambda content: np.random.default_rng(1).bytes(len(content))),
    "zeros": _bytes(lambda content: bytes(len(content))),
    "no Unicode": _bytes(lambda _: b"{\"\xff\xfe\": \xc3\x28}"),
}

_JSON: dict[str, Spoil] = {
    "deep": _bytes(lambda _: b"[" * 200_000 + b"]" * 200_000),
    "deep object": _bytes(lambda content: content.rstrip()[:-1] + b", \"more\": " + b'{"a":' * 100_000 + b"1" + b"}" * 100_001),
    "100 MB": _bytes(lambda content: content.rstrip()[:-1] + b", \"more\": \"" + b"x" * 100_000_000 + b"\"}"),
    "many numbers": _bytes(lambda content: content.rstrip()[:-1] + b", \"more\": [" + b"1," * 20_000_000 + b"1]}"),
    "key twice": _bytes(lambda content: content.rstrip()[:-1] + b"," + content.lstrip()[1:]),
}

_FOLDERS: dict[str, Spoil] = {**_ANY, "file": _file, "missing": lambda path, _: _remove(path)}


class _Pickled:
    def __init__(self, place: Place) -> None:
        self._target = str(place.outside[0] / "unpickled")

    def __reduce__(self) -> tuple[object, ...]:
        return exec, (f"open({self._target!r}, 'w').close()",)


def files_of(place: Place, root: str) -> Iterator[Field]:
    """Yield each file and folder of the sound material with what may stand in its place, and files that are too many."""
    folder = place.sound / root
    seen: set[str] = set()
    for path in sorted(folder.rglob("*"), reverse=True):
        name = path.relative_to(folder).as_posix()
        kind = f"{name}/" if path.is_dir() else kind_of_file(path, name)
        if kind in seen:
            continue
        seen.add(kind)
        ways = _FOLDERS if path.is_dir() else _FILES | (_JSON if path.suffix == ".json" else {})
        yield _spoiled(root, name, "(folder)" if path.is_dir() else "(file)", ways)
        if path.is_dir():
            yield _more(place, root, name)
        elif "/dcp/" in name or path.suffix == ".safetensors":
            yield _pickled(root, name)
    yield _more(place, root, ".")


def _spoiled(root: str, name: str, what: str, ways: dict[str, Spoil]) -> Field:
    def put(place: Place, value: Value) -> None:
        ways[value.kind](place.place / root / name, place.outside[0] / "twin" / root / name)

    return Field(root, name, what, tuple(Value(way, None) for way in ways), put, whole=True)


def _pickled(root: str, name: str) -> Field:
    def put(place: Place, _value: Value) -> None:
        (place.place / root / name).write_bytes(pickle.dumps(_Pickled(place)))

    return Field(root, name, "(pickle)", (Value("pickle that writes", None),), put, whole=True)


def _more(place: Place, root: str, name: str) -> Field:
    """Return a folder to which a file is added that looks as if it belonged there."""
    outside = place.outside[0]
    names = ("more.parquet", "more.json", "more.tar", ".more.part", ".x.new", "step_00000009", "step_00000003.tmp")
    odd = ("\n\x1b[2J.parquet", "\u202e.json", "x" * 240 + ".parquet", "..parquet", "-rf.tar", " .json", "\udcff.parquet")
    targets: dict[str, Callable[[Path], None]] = {
        "link to a file": lambda path: path.symlink_to(outside / f"{CANARY}{path.suffix}"),
        "link to a folder": lambda path: path.symlink_to(outside / "folder"),
        "pipe": lambda path: os.mkfifo(path),
    }
    ways = {f"{way}: {one}": (one, make) for way, make in targets.items() for one in names}
    ways |= {f"name: {one!a}": (one, targets["link to a file"]) for one in odd}

    def put(place: Place, value: Value) -> None:
        one, make = ways[value.kind]
        make(place.place / root / name / one)

    return Field(root, name, "(a file more)", tuple(Value(way, None) for way in ways), put, whole=True)


def journals_of(place: Place) -> Iterator[Field]:
    """Yield the fields of the journal, which a sound dataset has only for moments: it is written here."""
    spans = sorted((place.sound / "dataset" / "spans").glob("*.parquet"))[0].relative_to(place.sound / "dataset")
    final = f"{spans.parent}/part-all-000000000000.parquet"
    come, gone = {hidden_name(final): final}, (spans.as_posix(),)

    def field(name: str, swap: Callable[[str], object], values: tuple[Value, ...]) -> Field:
        def put(place: Place, value: Value) -> None:
            shutil.copy(place.dataset / spans, place.dataset / hidden_name(final))
            (place.dataset / JOURNAL).write_text(json.dumps(swap(str(value.value))))

        return Field("dataset", JOURNAL, name, values, put)

    names = tuple(texts(final, place.outside[0]))
    whole = Swap(come=come, gone=gone).model_dump(mode="json")
    yield field("come.key", lambda text: whole | {"come": {text: final}}, names)
    yield field("come", lambda text: whole | {"come": {hidden_name(final): text}}, names)
    yield field("come.both", lambda text: whole | {"come": {hidden_name(text): text}}, names)
    yield field("gone", lambda text: whole | {"gone": [text]}, names)
    yield field("gone.more", lambda text: whole | {"gone": [*gone, text]}, names)
    yield field("more", lambda text: whole | {"more": text}, names[:1])
    others = tuple(Value(kind, text) for kind, text in (("list", "[]"), ("number", "7"), ("deep", "[" * 200_000)))
    yield Field("dataset", JOURNAL, "(all)", others, _journal_text)
    yield _spoiled("dataset", JOURNAL, "(file)", _ANY | {"folder": _folder})


def _journal_text(place: Place, value: Value) -> None:
    (place.dataset / JOURNAL).write_text(str(value.value))


# media


def media_of(place: Place) -> Iterator[Field]:
    """Yield the files of clips with content of every kind; offsets, sizes and digests are right."""
    rows = {
        kind: next(path for path in sorted((place.sound / "dataset" / "clips").glob("*.parquet")) if has(path))
        for kind, has in (("mp4", lambda path: True), ("flac", _has_sound))
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

        yield Field("dataset", f"clips/{path.name}", f"<clip>.{kind}", tuple(Value(one, None) for one in contents), put, whole=True)


def _has_sound(path: Path) -> bool:
    return pq.read_table(path, columns=["flac_size"])["flac_size"].null_count == 0


def _put_member(dataset: Path, clips: str, kind: str, content: bytes) -> None:
    table = pq.read_table(dataset / "clips" / clips)
    row = table.slice(0, 1).to_pylist()[0]
    tar = dataset / "media" / "more.tar"
    whole = (dataset / row["media"]).read_bytes()
    members = []
    for one in ("mp4", "flac"):
        if row[f"{one}_size"] is not None:
            offset = row[f"{one}_offset"]
            members.append((f"{row['clip_id']}.{one}", whole[offset : offset + row[f"{one}_size"]]))
    members = [(name, content if name.endswith(kind) else old) for name, old in members]
    ranges = write_tar(tar, members)
    changes: dict[str, object] = {"media": "media/more.tar"}
    for (name, new), where in zip(members, ranges, strict=True):
        one = name.rpartition(".")[2]
        changes |= {f"{one}_offset": where.offset, f"{one}_size": where.size, f"{one}_sha256": sha256_of(new)}
    for column, value in changes.items():
        if column in table.column_names:
            number, values = table.schema.get_field_index(column), table[column].to_pylist()
            values[0] = value
            table = table.set_column(number, table.schema.field(number), pa.array(values, table.schema.field(number).type))
    with (dataset / "clips" / clips).open("wb") as stream:
        pq.write_table(table, stream, row_group_size=CLIPS.row_group_rows, compression="zstd")


def _contents(place: Place, kind: str) -> dict[str, Callable[[], bytes]]:
    outside = place.outside[0]
    target = outside / f"{CANARY}.mp4"
    sdp = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 45678 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
    found: dict[str, Callable[[], bytes]] = {
        "SDP": lambda: sdp.encode(),
        "playlist": lambda: f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{target}\n#EXT-X-ENDLIST\n".encode(),
        "playlist of the web": lambda: b"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nhttp://127.0.0.1:9/a.ts\n",
        "concat": lambda: f"ffconcat version 1.0\nfile '{target}'\n".encode(),
        "DASH": lambda: f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><AdaptationSet><Representation><BaseURL>{target}</BaseURL></Representation></AdaptationSet></Period></MPD>'.encode(),
        "link of QuickTime": lambda: _quicktime_link(str(target)),
        "empty": lambda: b"",
        "noise": lambda: np.random.default_rng(1).bytes(10_000),
        "SVG": lambda: f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{target}"/></svg>'.encode(),
    }
    if kind == "flac":
        found["a day of silence"] = lambda: _kept(place, "silence", _silence)
        found["of another rate"] = lambda: encode_flac(np.zeros(96_000, np.float32), 96_000)
    else:
        found["one large picture"] = lambda: _kept(place, "large", _large)
        found["many pictures"] = lambda: _kept(place, "many", _many)
    return found


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
    import io

    import av

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


# tables that are small as files and large in memory


def bombs_of(place: Place) -> Iterator[Field]:
    """Yield the columns of the tables with a cell of gigabytes in them, well packed."""
    for table in TABLES.values():
        files = sorted((place.sound / "dataset" / table.name).glob("*.parquet"), reverse=True)
        for column in table.columns:
            if pa.types.is_string(column.type):
                ways = {"text of gigabytes": _text_bomb}
            elif pa.types.is_list(column.type) and not pa.types.is_struct(column.type.value_type):
                ways = {"list of gigabytes": _list_bomb}
            else:
                continue

            def put(place: Place, value: Value, name: str = column.name, file: str = f"{table.name}/{files[0].name}", ways: dict[str, Callable[[pa.DataType, int], pa.Array]] = ways) -> None:
                path = place.dataset / file
                content = pq.read_table(path)
                number = content.schema.get_field_index(name)
                bomb = ways[value.kind](content.schema.field(number).type, len(content))
                changed = content.set_column(number, pa.field(name, bomb.type), bomb)
                with path.open("wb") as stream:
                    pq.write_table(changed, stream, compression="zstd", store_schema=False)

            yield Field("dataset", f"{table.name}/{files[0].name}", column.name, tuple(Value(way, None) for way in ways), put, whole=True)


def _text_bomb(_type: pa.DataType, n: int) -> pa.Array:
    words = pa.array(["x" * (2**31 // max(n, 2) if n > 1 else 2**30)])
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), words)


def _list_bomb(data_type: pa.DataType, n: int) -> pa.Array:
    per_row, inner = 1, data_type.value_type
    while hasattr(inner, "value_type"):
        per_row *= inner.list_size if pa.types.is_fixed_size_list(inner) else 1
        inner = inner.value_type
    length = 600_000_000 // per_row // (2 if inner == pa.float32() else 1)
    if pa.types.is_string(inner):
        values = pa.DictionaryArray.from_arrays(pa.array(np.zeros(length // 8, np.int32)), pa.array(["x" * 64]))
        length //= 8
    else:
        values = pa.array(np.zeros(length * per_row, inner.to_pandas_dtype()), inner)
    levels, step = [], data_type.value_type
    while hasattr(step, "value_type"):
        levels.append(step)
        step = step.value_type
    for level in reversed(levels):
        if pa.types.is_fixed_size_list(level):
            values = pa.FixedSizeListArray.from_arrays(values, level.list_size)
        else:
            values = pa.ListArray.from_arrays(pa.array(np.arange(len(values) + 1, dtype=np.int32)), values)
    offsets = np.full(n + 1, len(values), np.int32)
    offsets[0] = 0
    return pa.ListArray.from_arrays(pa.array(offsets), values)
