"""The bundle of MediaPipe's Face Landmarker: a zip archive of networks (`face_landmarker.task`, Apache-2.0)."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from curation.model_cards import ModelCard
from curation.perception.runtime.litert import without_start_up_chatter
from foundation.weights import asset_path

__all__ = ["BUNDLE", "FACE_LANDMARKS", "open_bundle"]

BUNDLE = "face_landmarker"
"""Its name in the asset registry."""

FACE_LANDMARKS = ModelCard(kind="landmarks", name="mediapipe478", assets=(BUNDLE,), runtime="ai-edge-litert")
"""The networks for landmarks and blendshapes, which are given boxes of any detector."""


@contextmanager
def open_bundle(bundle: Path | None = None) -> Iterator[zipfile.ZipFile]:
    """Open the bundle to load networks from; what LiteRT prints as it starts is held back meanwhile.

    Args:
        bundle: `face_landmarker.task`; None takes the one of the asset registry.

    Raises:
        MissingAssetsError: it is not on this machine.
    """
    with zipfile.ZipFile(asset_path(BUNDLE) if bundle is None else bundle) as members, without_start_up_chatter():
        yield members
