"""Tags by which a video file says that it was generated: of the container, in XMP, in Content Credentials."""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from curation.media.container import open_media
from curation.media.errors import MediaError
from curation.media.origin.file_statements import Statements, statements
from curation.media.remote import RemoteMedia
from foundation.packages import DISTRIBUTION
from foundation.storage.locations import is_remote
from foundation.storage.regular_files import open_regular
from manifests.generated_media import COMMENT
from manifests.vocabulary import GENERATED_TAGS, GeneratedTag

__all__ = ["generated_tags", "in_order", "tags_of"]

_SOURCE_TYPE = re.compile(
    rb"digitalsourcetype/(trainedAlgorithmicMedia|compositeWithTrainedAlgorithmicMedia|compositeSynthetic)",
    re.IGNORECASE,
)
"""IPTC's terms, as the addresses end by which XMP, C2PA and our own tags name them."""

_TERMS: Mapping[bytes, GeneratedTag] = {
    b"trainedalgorithmicmedia": "trained_algorithmic_media",
    b"compositewithtrainedalgorithmicmedia": "composite_with_trained_algorithmic_media",
    b"compositesynthetic": "composite_synthetic",
}

_XMP_AIGC = re.compile(rb"[:<\s]AIGC\s*[=>]", re.IGNORECASE)
"""The property `TC260:AIGC`, as an element or an attribute."""

_Tags = Iterable[tuple[str, str]]
"""Names and texts of a container's tags."""


def generated_tags(path: Path) -> tuple[GeneratedTag, ...]:
    """Return what a video file says of how it was made, in the order of `GENERATED_TAGS`.

    Args:
        path: the file, or an address, of which the header and the statements alone are read.

    Raises:
        MediaError: `unreadable` where it is no media file; `unreachable` where a storage failed.
    """
    with open_media(path) as container:
        texts = [*container.metadata.items()]
        for stream in container.streams:
            texts += stream.metadata.items()
    if is_remote(path):
        with RemoteMedia(path) as remote:
            return tags_of(texts, statements(remote))
    try:
        with open_regular(path) as file:
            return tags_of(texts, statements(file))
    except OSError as error:
        raise MediaError("unreadable", f"{path} cannot be read: {error}") from error


def tags_of(texts: _Tags, stated: Statements) -> tuple[GeneratedTag, ...]:
    """Return what tags and statements of a file say of how it was made, in the order of `GENERATED_TAGS`.

    Args:
        texts: names and texts of the container's tags.
        stated: what its boxes hold.
    """
    texts = list(texts)
    found: set[GeneratedTag] = set()
    for content in (*(text.encode(errors="replace") for _, text in texts), *stated.xmp, *stated.manifests):
        found.update(_TERMS[term.lower()] for term in _SOURCE_TYPE.findall(content))
    if stated.manifests:
        found.add("content_credentials")
    if any(_XMP_AIGC.search(packet) for packet in stated.xmp) or any(name.upper() == "AIGC" for name, _ in texts):
        found.add("aigc_label")
    for name, text in texts:
        if text == COMMENT or str(_members(text).get("software", "")).startswith(f"{DISTRIBUTION} "):
            found.add("gaia_avatar")
        if name.lower() in ("prompt", "workflow", "comment") and _is_workflow(text):
            found.add("comfyui_workflow")
    return in_order(found)


def in_order(tags: Collection[GeneratedTag]) -> tuple[GeneratedTag, ...]:
    """Return the tags in the order of `GENERATED_TAGS`.

    >>> in_order({"aigc_label", "gaia_avatar"})
    ('gaia_avatar', 'aigc_label')
    """
    return tuple(tag for tag in GENERATED_TAGS if tag in tags)


def _is_workflow(text: str) -> bool:
    """Return whether a text is a workflow of ComfyUI, in either of its formats, or an object that holds one."""
    members = _members(text)
    inner = [value for value in members.values() if isinstance(value, dict)]
    inner += [_members(value) for value in members.values() if isinstance(value, str)]
    return any(
        ("nodes" in one and "links" in one) or any(_has_class(node) for node in (one, *one.values()))
        for one in (members, *inner)
    )


def _has_class(node: object) -> bool:
    return isinstance(node, dict) and "class_type" in node and "inputs" in node


def _members(text: str) -> dict[str, object]:
    """Return the members of a JSON object; none of any other text."""
    if not text.lstrip().startswith("{"):
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
