"""Commands on one small dataset, to be run two at a time: how the dataset is made, and what is compared.

Videos are measured once, by the real models; a command that curates one gets what was measured then, so that a command
takes a fraction of a second. All else is the real program.
"""

import functools
import importlib
import json
import os
import pickle
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from benchmarks.checkout import SAMPLE
from benchmarks.curation.kills import contents
from benchmarks.curation.run_command import numbered
from benchmarks.curation.turns import Ended, in_turns
from curation.engine.worker import VideoWorker, WorkerPlan
from curation.media.errors import MediaError
from curation.media.probe import VideoInfo
from curation.output.curated_video import CuratedVideo
from curation.output.ledger import VideoRecord
from curation.sources.entries import SourceVideo
from foundation.errors import EXIT_CANNOT_START
from foundation.storage.locations import is_remote, location, remote_of
from manifests.timeline import TickRange

__all__ = ["COMMANDS", "OTHER_DATA", "READERS", "Scene", "Trial", "make_bucket", "make_scene"]

COMMANDS = ("run", "retry", "decide", "forget", "validate", "stats", "train")

READERS = ("validate", "stats")
"""Commands whose output tells the state of the dataset."""

OTHER_DATA = "holds a run with other settings or data: data.clips"
"""What `gaia-train` says of a run that it has saved, and that began with other clips than the dataset has now."""

_EVENTS = "ledger/events"
"""Beginning of the names of event logs; one in a store has the time of its run in its name."""

_QUIET = ("--set", "speech.encoder=none", "--set", "speech.denoiser=none")

_PACKAGES = (
    "curation.cli.app", "curation.operations.run", "curation.operations.retry", "curation.operations.decide",
    "curation.operations.forget", "manifests.reports.validate", "manifests.reports.statistics",
    "manifests.reports.queries", "duckdb", "pyarrow.dataset", "pyarrow.compute", "av", "soundfile", "PIL.Image",
    "training.cli.app", "training.train", "training.vae.task", "training.loop.loop", "torch._dynamo", "upath", "s3fs",
)  # fmt: skip

_FIRST_S, _LAST_S = 2.0, 5.4
"""The seconds of each video that are curated: the face of the sample video talks in them."""

_TINY = (
    "model.width=4", "model.n_layers=1", "model.multipliers=[1,1,1]", "model.groups=2", "model.image_px=32",
    "discriminator.width=8", "discriminator.n_strided=2", "discriminator.groups=4", "perceptual.network=none",
    "train.steps=3", "train.batch=2", "train.micro_batch=2", "train.workers=0", "train.precision=fp32",
    "train.checkpoint_every=3", "train.pictures_every=3", "train.tensorboard=false", "check_pairs=2",
    "held_out_share=0.5", "rate.warmup_steps=1",
)  # fmt: skip
"""Settings of a VAE that trains in a moment."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """Two commands that ran on a copy of the dataset, and what they left."""

    ended: tuple[Ended, ...]
    dataset: Mapping[str, object]
    """The files by name, seconds spent left out."""
    out: Mapping[str, object]
    """The dataset that `decide` has written."""
    again: "Trial | None" = None
    """Where one of them was refused, what the same command leaves when it is given again."""
    accepted: "Trial | None" = None
    """Where that was a training that had begun on the clips of before, what it leaves with `--accept-changes`."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """The dataset that all pairs of commands begin with, and its sources.

    It holds a video of Anna, one of Bert, and one that could not be read. A second video of Anna's was put
    among the sources since, and the unreadable one can be read now.
    """

    folder: Path
    store: str | None
    """Address in which datasets lie; None: they lie in `folder`."""

    def trial(self, commands: Sequence[str], seed: int, *, at_once: bool) -> Trial:
        """Run commands on a fresh copy of the dataset: in turns, or one after the other."""
        place = Path(tempfile.mkdtemp(prefix="trial-", dir=self.folder))
        dataset = place / "dataset" if self.store is None else location(f"{self.store}/{place.name}/dataset")
        out = dataset.parent / "out"
        draw = random.Random(seed)  # noqa: S311 - repeatable
        _copy(self.folder / "start", dataset)
        works = [self._work(command, dataset, out, place / "run") for command in commands]
        together = [works] if at_once else [[work] for work in works]
        ended = tuple(end for group in together for end in in_turns(group, place, draw))
        refused = [work for work, end in zip(works, ended, strict=True) if end.code == EXIT_CANNOT_START]
        states = [_state(place, folder) for folder in (dataset, out)]
        again = accepted = None
        if at_once and len(refused) == 1:
            again = _given(refused, place, draw, dataset, out)
            if OTHER_DATA in again.ended[0].output:
                accepting = self._work("train", dataset, out, place / "run", "--accept-changes")
                accepted = _given([accepting], place, draw, dataset, out)
        if is_remote(dataset):
            _remove(dataset.parent)
        shutil.rmtree(place)
        return Trial(ended=ended, dataset=states[0], out=states[1], again=again, accepted=accepted)

    def _work(self, command: str, dataset: Path, out: Path, run: Path, *options: str) -> Callable[[], None]:
        name = str(dataset)
        source = str(self.folder / "talks.csv")
        arguments = {
            "run": ["run", "--source", source, "--out", name, "--preset", "embedded", "--executor", "inline", *_QUIET],
            "retry": ["retry", name, "--failed", "--executor", "inline"],
            "decide": ["decide", name, "--out", str(out), "--set", "rules.too_short.min_s=3.2"],
            "forget": ["forget", name, "--speaker", "anna"],
            "validate": ["validate", name],
            "stats": ["stats", name],
            "train": [
                "vae",
                name,
                "--out",
                str(run),
                "--size",
                "tiny",
                "--device",
                "cpu",
                *(f"--set={s}" for s in _TINY),
                *options,
            ],
        }[command]

        def work() -> None:
            _use_what_was_measured(self.folder)
            sys.argv = ["gaia-train" if command == "train" else "gaia-curate", *arguments]
            if command == "train":
                from training.cli.app import main
            else:
                from curation.cli.app import main
            main()

        return work


def _given(works: Sequence[Callable[[], None]], place: Path, draw: random.Random, dataset: Path, out: Path) -> Trial:
    """Run commands in turns, and return what they leave."""
    ended = tuple(in_turns(works, place, draw))
    return Trial(ended=ended, dataset=_state(place, dataset), out=_state(place, out))


def make_scene(folder: Path, store: str | None = None) -> Scene:
    """Make the dataset and return the scene.

    Args:
        folder: empty, for everything local.
        store: address of a folder in a store for the datasets; None: they are local.
    """
    _load_packages()
    people = {"first": "anna", "other": "bert", "late": "", "new": "anna"}
    videos = {name: folder / f"{name}.mp4" for name in people}
    for number, path in enumerate(videos.values()):
        path.write_bytes(numbered(SAMPLE.read_bytes(), number))

    def lists(names: Sequence[str]) -> None:
        lines = [f"{videos[name]},{people[name]},{_FIRST_S},{_LAST_S}" for name in names]
        table = "\n".join(["path,speaker_id,start_s,end_s", *lines])
        (folder / "talks.csv").write_text(f"{table}\n", encoding="utf-8")

    scene = Scene(folder=folder, store=store)
    draw = random.Random(0)  # noqa: S311 - repeatable

    def begin() -> None:
        one = _measured(videos["first"])  # all show and say the same
        measured = {path.name: one for path in videos.values()}
        (folder / "measured.pickle").write_bytes(pickle.dumps(measured))
        (folder / "unreadable").write_text(videos["late"].name, encoding="utf-8")
        lists(["first", "other", "late"])
        scene._work("run", folder / "start", folder, folder)()  # noqa: SLF001 - its own

    (made,) = in_turns([begin], folder, draw, patience_s=600.0)
    if made.code != 1:  # a video failed, as it has to
        raise RuntimeError(f"the dataset was not made: {made.output}")
    (folder / "unreadable").unlink()
    lists(["first", "other", "late", "new"])
    return scene


def _load_packages() -> None:
    """Import what the commands import, so that a forked process has it; nothing is computed, so no thread begins."""
    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    for name in _PACKAGES:
        importlib.import_module(name)


def _measured(path: Path) -> CuratedVideo:
    """Curate a video with the real models, but those of speech."""
    from curation.settings import CurationSettings, load_settings
    from curation.sources.trims import Trim, requested_ticks

    settings = load_settings(CurationSettings(), None, ["speech.encoder=none", "speech.denoiser=none"])
    worker = WorkerPlan(settings=settings, dataset=path).make_worker()
    info = worker.probed(path)
    return worker.curated(info, requested_ticks((Trim(start=_FIRST_S, end=_LAST_S),), info))


@dataclass(frozen=True)
class _Remembering:
    """A worker that remembers what was measured of each file."""

    plan: WorkerPlan
    measured: Mapping[str, CuratedVideo]
    unreadable: str | None

    def on_length(self, _length_s: float) -> None:
        """Do nothing with the length of a video."""

    def earlier(self, _video: SourceVideo) -> None:
        """Nothing of an earlier run is to be completed."""

    def probed(self, path: Path, _earlier: VideoRecord | None = None) -> VideoInfo:
        if path.name == self.unreadable:
            raise MediaError("unreadable", "made so")
        return replace(self.measured[path.name].info, path=path)

    def curated(self, info: VideoInfo, _stretches: Sequence[TickRange], _spent_s: float = 0.0) -> CuratedVideo:
        return replace(self.measured[info.path.name], info=info)


def _use_what_was_measured(folder: Path) -> None:
    """Let this process take measurements from their file, and draw the same salt as all others."""
    import curation.operations.forget

    measured = pickle.loads((folder / "measured.pickle").read_bytes())  # noqa: S301 - this program's own
    note = folder / "unreadable"
    unreadable = note.read_text(encoding="utf-8") if note.exists() else None

    def make_worker(plan: WorkerPlan, _on_length: object = None) -> VideoWorker:
        return cast("VideoWorker", _Remembering(plan, measured, unreadable))

    WorkerPlan.make_worker = make_worker  # type: ignore[method-assign, assignment]
    salts = SimpleNamespace(token_hex=lambda n_bytes: "5a" * n_bytes)
    curation.operations.forget.secrets = salts  # type: ignore[assignment, attr-defined]


def _copy(start: Path, dataset: Path) -> None:
    if not is_remote(dataset):
        shutil.copytree(start, dataset)
        return
    for path in start.rglob("*"):
        if path.is_file():
            bucket, _, key = remote_of(dataset / path.relative_to(start).as_posix()).path.partition("/")
            _client().put_object(Bucket=bucket, Key=key, Body=path.read_bytes())


def make_bucket(name: str) -> None:
    """Make a bucket in the store that the environment names, as soon as it answers."""
    from botocore.exceptions import ConnectionError as NoAnswer

    for _ in range(300):
        try:
            _client().create_bucket(Bucket=name)
        except NoAnswer:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the S3 server of this machine does not answer")


@functools.cache
def _client() -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
    """Return a client of the store that starts no thread, and so may be used in a process that is forked."""
    import boto3
    from botocore.loaders import JSONFileLoader

    JSONFileLoader.load_file = functools.cache(JSONFileLoader.load_file)
    return boto3.client("s3")


def _state(place: Path, dataset: Path) -> Mapping[str, object]:
    """Return the files of a dataset by name, seconds spent left out."""
    local = dataset
    if is_remote(dataset):
        local = Path(tempfile.mkdtemp(dir=place), dataset.name)
        for bucket, key in _objects(dataset):
            path = local / key.removeprefix(remote_of(dataset).path.partition("/")[2]).lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_client().get_object(Bucket=bucket, Key=key)["Body"].read())
    if not local.exists():
        return {}
    found = {name: content for name, content in contents(local).items() if not name.startswith(_EVENTS)}
    for name, content in found.items():  # where the dataset lay
        if isinstance(content, bytes) and name.endswith(".json"):
            found[name] = json.loads(content.replace(os.fsencode(str(dataset)), b"DATASET"))
    return found


def _objects(folder: Path) -> list[tuple[str, str]]:
    """Return bucket and key of every object in a folder of the store."""
    bucket, _, prefix = remote_of(folder).path.partition("/")
    pages = _client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
    return [(bucket, one["Key"]) for page in pages for one in page.get("Contents", ())]


def _remove(folder: Path) -> None:
    for bucket, key in _objects(folder):
        _client().delete_object(Bucket=bucket, Key=key)
