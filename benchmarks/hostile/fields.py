"""Every field of every file of the sound material, and how a value is put there.

The fields are found, not listed: the columns of the tables as the schema declares them, the keys of the JSON documents
as the commands wrote them (in files, in the footers of Parquet files, in the headers of safetensors files), the names
in the tars. A new column, setting or key is a field without a change here.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.hostile.documents import (
    Json,
    read_footer,
    read_header,
    read_json,
    read_lines,
    write_footer,
    write_header,
    write_json,
    write_lines,
)
from benchmarks.hostile.material import Place
from benchmarks.hostile.values import Value, fractions, numbers, texts, values_like
from manifests.schema.columns import Table
from manifests.schema.tables import TABLES
from training.latents.files import LATENTS

__all__ = ["Field", "fields_of", "kind_of_file"]

_MANY = 40
"""An object with more keys holds many of one kind: one of them stands for all."""

_OF_ONE_KIND = ("tables", "tensors", "criteria", "strata", "items")
"""Keys of objects that hold few or many of one kind."""

_ARROW = b"ARROW:schema"

Path_ = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A place for a value."""

    root: str
    """Folder of the place, one of `ROOTS`."""
    file: str
    """Relative to it."""
    name: str
    """Name of the field in the file."""
    values: tuple[Value, ...]
    put: Callable[[Place, Value], None]
    """Put a value there."""
    whole: bool = False
    """It is a whole file or folder, or as large as one."""
    words: tuple[str, ...] = ()
    """Names, beside those of the file and the field, by which a message may say where the fault is."""


def fields_of(place: Place, root: str) -> Iterator[Field]:
    """Yield the fields of all files of a folder of the sound material."""
    folder = place.sound / root
    seen: set[str] = set()
    for path in sorted((path for path in folder.rglob("*") if path.is_file()), reverse=True):  # newest step first
        name = path.relative_to(folder).as_posix()
        kind = kind_of_file(path, name)
        if kind in seen:
            continue
        seen.add(kind)
        if path.suffix == ".parquet":
            yield from _columns(place, root, name)
            yield from _documents(place, root, name, read_footer, write_footer)
        elif path.suffix == ".json":
            yield from _documents(place, root, name, read_json, write_json)
        elif path.suffix == ".jsonl":
            yield from _documents(place, root, name, read_lines, write_lines)
        elif path.suffix == ".safetensors":
            yield from _documents(place, root, name, read_header, write_header)
        elif path.suffix == ".tar":
            yield from _tar_names(place, root, name)
        elif path.stat().st_size < 200:
            yield _text(place, root, name)


def kind_of_file(path: Path, name: str) -> str:
    """Return a name that files of one kind share: packed ones, those of one video, records of one status."""
    folder, _, last = name.rpartition("/")
    if folder.startswith("step_"):
        folder = f"step/{folder.partition('/')[2]}"
    if last.endswith((".parquet", ".tar")):
        return f"{folder}/{'packed' if last.startswith('part-') else 'one'}"
    if folder == "ledger" and last.endswith(".json"):
        return f"{folder}/{json.loads(path.read_bytes())['status']}"
    return f"{folder}/{last}"


# Parquet columns


def _columns(place: Place, root: str, name: str) -> Iterator[Field]:
    table = LATENTS if name.startswith("latents/") else TABLES[name.partition("/")[0]]
    for column in table.columns:
        for leaf, data_type in _leaves(column.name, column.type):
            values = tuple(_arrow_values(data_type, place.outside[0], column.name, nullable=column.nullable))

            def put(place: Place, value: Value, column: str = column.name, leaf: str = leaf) -> None:
                _put_column(place.place / root / name, table, column, leaf, value)

            yield Field(root, name, leaf, values, put)


def _leaves(name: str, data_type: pa.DataType) -> Iterator[tuple[str, pa.DataType]]:
    """Yield a column, and the fields of the structs that it lists."""
    yield name, data_type
    if pa.types.is_list(data_type) and pa.types.is_struct(data_type.value_type):
        for field in data_type.value_type:
            yield f"{name}.{field.name}", field.type


def _arrow_values(data_type: pa.DataType, outside: Path, name: str, *, nullable: bool) -> Iterator[Value]:
    if pa.types.is_string(data_type):
        yield from texts({"media": "media/x.tar"}.get(name, ""), outside)
        yield Value("another type", pa.int64())
    elif pa.types.is_integer(data_type):
        highest = 2 ** (data_type.bit_width - 1)
        yield from (value for value in numbers() if -highest <= cast("int", value.value) < highest)
        yield Value("another type", pa.string())
    elif pa.types.is_floating(data_type):
        yield from fractions()
        yield Value("another type", pa.string())
    elif pa.types.is_boolean(data_type):
        yield Value("true", True)
        yield Value("another type", pa.string())
    else:
        yield from _list_values(data_type)
        yield Value("another type", pa.string())
    if not nullable or not pa.types.is_string(data_type):
        yield Value("null", None)
    yield Value("missing", KeyError)


def _list_values(data_type: pa.DataType) -> Iterator[Value]:
    leaf = data_type
    while hasattr(leaf, "value_type"):
        leaf = leaf.value_type
    filler = _filler(leaf)
    fixed = pa.types.is_fixed_size_list(data_type)
    one = filler
    inner = data_type
    sizes = []
    while hasattr(inner, "value_type"):
        sizes.append(inner.list_size if pa.types.is_fixed_size_list(inner) else 1)
        inner = inner.value_type
    for size in reversed(sizes):
        one = [one] * size
    yield Value("filled with NaN", one)
    if not fixed:
        yield Value("empty list", [])
        yield Value("a row too many", cast("list[object]", one) * 1000)
        yield Value("null within", [None] * 3)


def _filler(data_type: pa.DataType) -> object:
    """Return what an inner value is filled with."""
    if pa.types.is_struct(data_type):
        return {field.name: _filler(field.type) for field in data_type}
    if pa.types.is_floating(data_type):
        return float("nan")
    return "../outside/canary" if pa.types.is_string(data_type) else -1


def _put_column(path: Path, schema: Table, column: str, leaf: str, value: Value) -> None:
    """Write a Parquet file anew with a value in the first row of a column; everything else stays."""
    file = pq.ParquetFile(path)
    table, metadata = file.read(), {key: text for key, text in file.metadata.metadata.items() if key != _ARROW}
    file.close()
    number = table.schema.get_field_index(column)
    if value.value is KeyError:
        changed = table.remove_column(number)
    else:
        rows = table.column(number).to_pylist()
        data_type = table.schema.field(number).type
        if isinstance(value.value, pa.DataType):
            data_type = value.value
            rows = [7 if pa.types.is_integer(data_type) else "seven"] * len(rows)
        elif leaf != column and not hasattr(data_type, "value_type"):
            return  # another field of these structs has made them something else
        elif leaf != column:
            first = (rows[0] or [dict.fromkeys(field.name for field in data_type.value_type)])[0]
            rows[0] = [{**first, leaf.partition(".")[2]: value.value}, *(rows[0] or [])[1:]]
        else:
            rows[0] = value.value
        changed = table.set_column(number, pa.field(column, data_type), pa.array(rows, data_type))
    with path.open("wb") as stream:
        pq.write_table(
            changed.replace_schema_metadata(metadata), stream, row_group_size=schema.row_group_rows, compression="zstd"
        )


# JSON documents


def _documents(
    place: Place, root: str, name: str, read: Callable[[Path], Json], write: Callable[[Path, Json], None]
) -> Iterator[Field]:
    content = read(place.sound / root / name)
    if content is None:
        return
    for keys, original in _walk(content, ()):

        def put(place: Place, value: Value, keys: Path_ = keys) -> None:
            path = place.place / root / name
            write(path, _with(read(path), keys, value.value))

        values = tuple(values_like(original, place.outside[0]))
        if isinstance(original, dict) and original:
            values = (*values, Value("a key more", _More), *(_renamed(value) for value in texts("", place.outside[0])))
        if keys:
            values = (*values, Value("missing", KeyError))
        yield Field(root, name, ".".join(map(str, keys)) or "(all)", values, put)


class _More:
    """Stands for the object with a key more."""


@dataclass(frozen=True, slots=True)
class _Key:
    """Stands for the object with its first key renamed."""

    name: str


def _renamed(value: Value) -> Value:
    return Value(f"key: {value.kind}", _Key(str(value.value)), leads_out=value.leads_out)


def _walk(content: Json, keys: Path_) -> Iterator[tuple[Path_, Json]]:
    yield keys, content
    if isinstance(content, dict):
        entries = list(content.items())
        homogeneous = len(entries) > _MANY or (keys and keys[-1] in _OF_ONE_KIND)
        for key, inner in entries[:1] if homogeneous else entries:
            yield from _walk(inner, (*keys, key))
    elif isinstance(content, list) and content:
        yield from _walk(content[0], (*keys, 0))


def _with(content: Json, keys: Path_, value: Json) -> Json:
    """Return a document with a value in the place of the one that the keys lead to."""
    if keys:
        inner = dict(content) if isinstance(content, dict) else list(cast("list[Json]", content))
        if len(keys) == 1 and value is KeyError:
            del inner[keys[0]]  # type: ignore[arg-type]
        else:
            inner[keys[0]] = _with(inner[keys[0]], keys[1:], value)  # type: ignore[index]
        return inner
    if value is _More:
        return {**cast("dict[str, Json]", content), "more": "../outside/canary"}
    if isinstance(value, _Key):
        first, *others = cast("dict[str, Json]", content).items()
        return dict([(value.name, first[1]), *others])
    return value


def _tar_names(place: Place, root: str, name: str) -> Iterator[Field]:
    def put(place: Place, value: Value) -> None:
        path = place.place / root / name
        content = bytearray(path.read_bytes())
        content[:100] = str(value.value).encode()[:100].ljust(100, b"\0")
        content[148:156] = b" " * 8
        content[148:156] = f"{sum(content[:512]):06o}\0 ".encode()
        path.write_bytes(content)

    yield Field(root, name, "first name", tuple(texts("a.mp4", place.outside[0])), put)


def _text(place: Place, root: str, name: str) -> Field:
    original = (place.sound / root / name).read_text(errors="replace").strip()

    def put(place: Place, value: Value) -> None:
        (place.place / root / name).write_text(str(value.value), errors="surrogatepass")

    twin = f"../{place.outside[0].name}/twin/{root}/{original}"
    values = (Value("climbs to a twin", twin, leads_out=True), *texts(original, place.outside[0]))
    return Field(root, name, "(text)", values, put)
