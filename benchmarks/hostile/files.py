"""Files and folders that are not what they should be: links, pipes, sockets, devices, too short, too deep, large."""

import json
import os
import pickle
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.hostile.fields import Field, kind_of_file
from benchmarks.hostile.material import CANARY, Place
from benchmarks.hostile.values import Value, texts
from manifests.files.journal import JOURNAL, Swap, hidden_name

__all__ = ["files_of", "journals_of"]

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
    "no Unicode": _bytes(lambda _: b'{"\xff\xfe": \xc3\x28}'),
}

_JSON: dict[str, Spoil] = {
    "deep": _bytes(lambda _: b"[" * 200_000 + b"]" * 200_000),
    "deep object": _bytes(
        lambda content: content.rstrip()[:-1] + b', "more": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001
    ),
    "100 MB": _bytes(lambda content: content.rstrip()[:-1] + b', "more": "' + b"x" * 100_000_000 + b'"}'),
    "many numbers": _bytes(lambda content: content.rstrip()[:-1] + b', "more": [' + b"1," * 20_000_000 + b"1]}"),
    "key twice": _bytes(lambda content: content.rstrip()[:-1] + b"," + content.lstrip()[1:]),
}

_FOLDERS: dict[str, Spoil] = {**_ANY, "file": _file, "missing": lambda path, _: _remove(path)}


class _Pickled:
    def __init__(self, place: Place) -> None:
        self._target = str(place.outside[0] / "unpickled")

    def __reduce__(self) -> tuple[object, ...]:
        return exec, (f"open({self._target!r}, 'w').close()",)


def files_of(place: Place, root: str) -> Iterator[Field]:
    """Yield each file and folder of the sound material with what may stand in its place, and files added."""
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
    odd = (
        "\n\x1b[2J.parquet",
        "\u202e.json",
        "x" * 240 + ".parquet",
        "..parquet",
        "-rf.tar",
        " .json",
        "\udcff.parquet",
    )
    targets: dict[str, Callable[[Path], None]] = {
        "link to a file": lambda path: path.symlink_to(outside / f"{CANARY}{path.suffix}"),
        "link to a folder": lambda path: path.symlink_to(outside / "folder"),
        "pipe": os.mkfifo,
    }
    ways = {f"{way}: {one}": (one, make) for way, make in targets.items() for one in names}
    ways |= {f"name: {one!a}": (one, targets["link to a file"]) for one in odd}

    def put(place: Place, value: Value) -> None:
        one, make = ways[value.kind]
        make(place.place / root / name / one)

    return Field(
        root,
        name,
        "(a file more)",
        tuple(Value(way, None) for way in ways),
        put,
        whole=True,
        words=("more", ".x.new", "step_"),
    )


def journals_of(place: Place) -> Iterator[Field]:
    """Yield the fields of the journal, which a sound dataset has only for moments: it is written here."""
    spans = min((place.sound / "dataset" / "spans").glob("*.parquet")).relative_to(place.sound / "dataset")
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
