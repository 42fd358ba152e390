"""croissant.json: the tables of a dataset in the format of MLCommons, version 1.1, which `mlcroissant` reads.

Files are named by patterns, so that the description holds however the rows are packed.
"""

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import pyarrow as pa

from foundation.text import count_text
from manifests.card.facts import CardFacts
from manifests.card.own_files import sealed
from manifests.card.stored_tables import StoredColumn, StoredTable

__all__ = ["croissant_json"]

_TYPES = {
    "string": "sc:Text",
    "bool": "sc:Boolean",
    "halffloat": "cr:Float16",
    "float": "cr:Float32",
    "double": "cr:Float64",
    "int16": "cr:Int16",
    "int32": "cr:Int32",
    "int64": "cr:Int64",
}

_SEAL = "{seal}"
"""Stands for the file's own digest, before any text of the dataset."""

_CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context that the specification prescribes."""


def croissant_json(facts: CardFacts, today: date) -> bytes:
    """Return the content of croissant.json.

    Args:
        facts: of the dataset.
        today: when it is written.
    """
    licences = sorted({row.licence for row in facts.licences if row.licence is not None})
    totals = facts.record.totals
    content: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "identifier": _SEAL,
        "name": facts.name,
        "description": (
            f"{count_text(totals.clips, 'clip')} of people talking, of "
            f"{count_text(totals.videos, 'video')}: pictures, sound, landmarks, head "
            "pose and speech features, with what became of every second of the videos and why."
        ),
        "license": licences or ["not stated by the sources"],
        "version": f"{facts.record.schema_version}.0.0",
        "datePublished": today.isoformat(),
        "citeAs": f"{facts.name}, curated with {facts.record.software} {facts.record.software_version}",
        "distribution": [_files(name, "application/x-parquet", "parquet") for name in facts.tables],
        "recordSet": [_records(stored) for stored in facts.tables.values()],
    }
    if facts.splits:
        content["distribution"].append(_files("media", "application/x-tar", "tar"))
    before, _, after = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False).partition(_SEAL)
    return sealed(before, f"{after}\n")


def _files(folder: str, media_type: str, suffix: str) -> dict[str, Any]:
    what = "WebDataset tars: <clip_id>.mp4, .flac, .json" if suffix == "tar" else f"rows of the table {folder}"
    return {
        "@type": "cr:FileSet",
        "@id": f"{folder}-files",
        "name": f"{folder}-files",
        "description": what,
        "encodingFormat": media_type,
        "includes": f"{folder}/*.{suffix}",
    }


def _records(stored: StoredTable) -> dict[str, Any]:
    name = stored.table.name
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": stored.table.meaning,
        "field": [_field(name, column) for column in stored.columns if not column.has_structs],
    }


def _field(table: str, column: StoredColumn) -> dict[str, Any]:
    unit = f" ({column.declared.unit})" if column.declared.unit else ""
    field: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{table}/{column.declared.name}",
        "name": column.declared.name,
        "description": f"{column.declared.meaning}{unit}",
        "dataType": _type(column.element),
        "source": {"fileSet": {"@id": f"{table}-files"}, "extract": {"column": column.declared.name}},
    }
    if column.shape:
        field |= {"isArray": True, "arrayShape": ",".join(map(str, column.shape))}
    return field


def _type(element: pa.DataType) -> str:
    return _TYPES[str(element)]
