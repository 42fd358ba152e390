"""JSON documents of the material: in files, line by line, in footers of Parquet, in headers of safetensors."""

import json
import struct
from pathlib import Path

import pyarrow.parquet as pq

__all__ = [
    "Json",
    "read_footer",
    "read_header",
    "read_json",
    "read_lines",
    "write_footer",
    "write_header",
    "write_json",
    "write_lines",
]

_FOOTER = b"gaia_packed"

Json = object


def read_json(path: Path) -> Json:
    """Return the document that a file is."""
    return json.loads(path.read_bytes())


def write_json(path: Path, content: Json) -> None:
    """Make a document the content of a file."""
    path.write_text(json.dumps(content, indent=1))


def read_lines(path: Path) -> Json:
    """Return the documents of a file that has one a line."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def write_lines(path: Path, content: Json) -> None:
    """Write documents, one a line."""
    path.write_text("".join(f"{json.dumps(line)}\n" for line in (content if isinstance(content, list) else [content])))


def read_footer(path: Path) -> Json:
    """Return what a packed Parquet file states in its footer; None if it states nothing."""
    footer = (pq.read_metadata(path).metadata or {}).get(_FOOTER)
    return None if footer is None else json.loads(footer)


def write_footer(path: Path, content: Json) -> None:
    """Write a Parquet file anew, with the same rows and another statement in its footer."""
    file = pq.ParquetFile(path)
    table, groups = file.read(), [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    file.close()
    metadata = {**(table.schema.metadata or {}), _FOOTER: json.dumps(content).encode()}
    with path.open("wb") as stream:
        pq.write_table(table.replace_schema_metadata(metadata), stream, row_group_size=max(groups), compression="zstd")


def read_header(path: Path) -> Json:
    """Return the header of a safetensors file, the JSON texts in its metadata opened."""
    content = path.read_bytes()
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    if isinstance(metadata, dict):  # another value of the case may stand there
        metadata = {key: _opened(text) for key, text in metadata.items()}
    return {"__metadata__": metadata, "tensors": header}


def _opened(text: Json) -> Json:
    try:
        return json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return text


def write_header(path: Path, content: Json) -> None:
    """Put another header before the tensors of a safetensors file."""
    whole = path.read_bytes()
    (length,) = struct.unpack_from("<Q", whole)
    if isinstance(content, dict):
        metadata, tensors = content.get("__metadata__"), content.get("tensors")
        if isinstance(metadata, dict):
            metadata = {key: text if isinstance(text, str) else json.dumps(text) for key, text in metadata.items()}
        content = {"__metadata__": metadata, **(tensors if isinstance(tensors, dict) else {"tensors": tensors})}
    text = json.dumps(content)
    path.write_bytes(struct.pack("<Q", len(text)) + text.encode() + whole[8 + length :])
