"""Commands with made-up models and lower limits, so that a walk of their points reaches the end of them."""

import os
from dataclasses import replace

from curation.cli.app import main
from foundation.weights import UrlSource, ZipSource, asset_record, registry
from helpers.web_server import FileServer

__all__ = ["ARCHIVE", "FOLDER", "MODEL", "PACKED", "PULLED", "pull", "teach"]

MODEL, FOLDER, PACKED, ARCHIVE = b"a model", (b"its configuration", b"its weights"), b"a packed model", "models.zip"
"""Contents of weights, of a folder of them, and of a file in an archive."""

PULLED = ("det_10g", "facebook/wav2vec2-base-960h", "3ddfa_mb1")
"""Weights that stand for these three."""


def _register() -> None:
    """Put three models on the server that WALKED_SERVER names in place of registered ones."""
    server = FileServer(url=os.environ["WALKED_SERVER"])
    archive = ZipSource(
        url=f"{server.url}/{ARCHIVE}",
        member="model",
        archive_sha256=os.environ["WALKED_ARCHIVE_SHA256"],
        archive_size_bytes=int(os.environ["WALKED_ARCHIVE_BYTES"]),
    )
    made = (
        server.asset(MODEL, sources=(UrlSource(url=f"{server.url}/w.bin"),)),
        server.asset(*FOLDER, sources=(UrlSource(url=f"{server.url}/hub/"),)),
        server.asset(PACKED, sources=(archive,)),
    )
    for name, one in zip(PULLED, made, strict=True):
        files = tuple(replace(file, name=name) for file in one.files) if name == PULLED[2] else one.files
        registry._BY_NAME[name] = replace(asset_record(name), files=files, sources=one.sources)


def pull() -> None:
    """`gaia-curate` with these models."""
    _register()
    main()


def teach() -> None:
    """`gaia-curate`, whose `sync fit` takes one short video for enough and the network of the package for taught."""
    import curation.perception.sync.fitting.fit as fitting
    from curation.perception.sync.model import SyncModel

    taught = SyncModel()._network
    replaced: dict[str, object] = {
        **dict.fromkeys(("_LEAST_FILES", "_LEAST_S", "SHORTEST_TICKS"), 1),
        "_LEAST_SHARE": 0.0,
        "held_out_networks": lambda stretches, *_: [taught] * len(stretches),
        "taught_network": lambda *_: taught,
    }
    for name, value in replaced.items():
        setattr(fitting, name, value)
    main()
