"""Hugging Face's metadata: the YAML at the top of README.md, by which `datasets.load_dataset(folder)` reads the files.

Rows of all splits lie in the same files, so each split is a configuration of its own, whose filter selects its rows.
"""

import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import yaml

from manifests.card.facts import CardFacts
from manifests.card.stored_tables import StoredTable
from manifests.vocabulary import SPLITS

__all__ = ["feature_of", "front_matter"]

_NAMES = {"halffloat": "float16", "float": "float32", "double": "float64"}
"""Names of Arrow's types, where Hugging Face has others."""

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (0, "1M<n<10M"))

_LICENCES = {
    **{f"cc by{kind} {n}": f"cc-by{kind}-{n}" for kind in ("", "-sa", "-nd", "-nc", "-nc-sa") for n in ("3.0", "4.0")},
    "cc0 1.0": "cc0-1.0",
    "cc0": "cc0-1.0",
    "mit": "mit",
    "apache 2.0": "apache-2.0",
}
"""Licences by their usual names, in lower case, with a space before the version."""


def front_matter(facts: CardFacts) -> str:
    """Return the YAML between its two lines of hyphens."""
    content: dict[str, Any] = {"license": _licence(facts)}
    if languages := [code for code in facts.languages if re.fullmatch(r"[a-z]{2,3}", code)]:
        content["language"] = sorted(languages)
    n_clips = sum(facts.splits.values())
    content["tags"] = ["talking-head", "video", "audio", "gaia-avatar"]
    content["size_categories"] = [next(name for most, name in _SIZES if n_clips < most or not most)]
    configs: list[dict[str, Any]] = []
    infos: list[dict[str, Any]] = []
    for name, split, stored, filters in _configs(facts):
        config: dict[str, Any] = {
            "config_name": name,
            "data_files": [{"split": split, "path": f"{stored.table.name}/*.parquet"}],
        }
        if not configs:
            config["default"] = True
        if filters:
            config["filters"] = filters
        configs.append(config)
        features = [{"name": one.declared.name, **feature_of(one.type)} for one in stored.columns]
        infos.append({"config_name": name, "features": features})
    if configs:
        content |= {"configs": configs, "dataset_info": infos}
    return f"---\n{yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)}---\n"


class _Dumper(yaml.SafeDumper):
    """Writes equal lists in full; references to an earlier one are hard to read."""

    def ignore_aliases(self, _data: Any) -> bool:  # noqa: ANN401 - as yaml declares it
        return True


def _configs(facts: CardFacts) -> Iterator[tuple[str, str, StoredTable, list[list[str]]]]:
    """Yield name, split, table and filter of each configuration: clips by split, then every table."""
    clips = facts.tables.get("clips")
    if clips is not None:
        for split in (split for split in SPLITS if split in facts.splits):
            yield split, split, clips, [["split", "=", split]]
    for name, stored in facts.tables.items():
        yield name, name, stored, []


def feature_of(data_type: pa.DataType) -> dict[str, Any]:
    """Return a feature as Hugging Face's YAML states it.

    >>> feature_of(pa.list_(pa.list_(pa.float32(), 2)))
    {'list': {'list': 'float32', 'length': 2}}
    """
    if pa.types.is_list(data_type) or pa.types.is_fixed_size_list(data_type):
        inner = data_type.value_type
        feature: dict[str, Any] = {"list": _element(inner)}
        if pa.types.is_fixed_size_list(data_type):
            feature["length"] = data_type.list_size
        return feature
    return {"dtype": _NAMES.get(str(data_type), str(data_type))}


def _element(data_type: pa.DataType) -> str | dict[str, Any] | list[dict[str, Any]]:
    if pa.types.is_struct(data_type):
        return [{"name": field.name, **feature_of(field.type)} for field in data_type]
    feature = feature_of(data_type)
    return str(feature["dtype"]) if "dtype" in feature else feature


def _licence(facts: CardFacts) -> str:
    """Return Hugging Face's name of the licence if all clips have the same and it is known there."""
    stated = {row.licence for row in facts.licences}
    if not stated or None in stated:
        return "unknown" if stated == {None} else "other"
    names = {_LICENCES.get(re.sub(r"[\s-]+(?=\d)", " ", str(text).casefold().strip()), "other") for text in stated}
    return names.pop() if len(names) == 1 else "other"
