"""`evaluate_run`: from a trained run and a dataset to the finished tables, generated and then measured."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from foundation.errors import UsageError
from foundation.json_text import json_text
from foundation.text import count_text
from manifests.dataset import Dataset
from training.comparison.evaluate_outputs import evaluate_outputs
from training.comparison.evaluation_table import EvaluationTable
from training.evaluation.protocols.protocol import EvaluationProtocol, ProtocolSet, load_protocols
from training.run_videos.generate_videos import GeneratedVideos, generate_videos
from training.run_videos.tested_run import TestedRun, UnsuitedRunError, load_tested_run

__all__ = ["EvaluatedProtocol", "RunEvaluation", "evaluate_run"]

COPY_SYSTEM = "copy of the reference"
"""Name in the tables of the baseline that never moves."""

TABLE_FOLDER = "table"
"""In the folder of a protocol: what `evaluate_outputs` writes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluatedProtocol:
    """One protocol: what was generated, and the table of its measurements."""

    generated: GeneratedVideos
    table: EvaluationTable


@dataclass(frozen=True, kw_only=True, slots=True)
class RunEvaluation:
    """Result of `evaluate_run`; its `str` is a report for people."""

    protocols: tuple[EvaluatedProtocol, ...]
    """In the order of the set."""
    skipped: tuple[str, ...]
    """Why protocols of the set were left out, a sentence each."""
    notes: tuple[str, ...]
    """How the clips of the test set were chosen, a sentence each."""

    @property
    def n_left_out(self) -> int:
        """Number of videos that damaged clips left out."""
        return sum(len(part.generated.left_out) for part in self.protocols)

    def json(self) -> str:
        """Return all figures as JSON, those that are not finite as null."""
        tables = {
            part.generated.protocol: {
                "folder": str(part.generated.folder),
                "videos": part.generated.n_videos,
                "left_out": dict(part.generated.left_out),
                "notes": list(part.generated.notes),
                "table": json.loads(part.table.json()),
            }
            for part in self.protocols
        }
        content = {"format": "gaia-run-evaluation", "version": 1, "protocols": tables}
        return json_text({**content, "skipped": list(self.skipped), "notes": list(self.notes)}, indent=1)

    def __str__(self) -> str:
        """Return the report."""
        parts = [f"{part.generated}\n\n{part.table}" for part in self.protocols]
        sentences = [*(f"note: {note}" for note in self.notes), *(f"skipped: {reason}" for reason in self.skipped)]
        return "\n\n".join([*parts, *(["\n".join(sentences)] if sentences else [])])


def evaluate_run(
    run: str | Path,
    dataset: str | Path,
    out: str | Path,
    *,
    protocol: str = "paper",
    limit: int | None = None,
    test_list: str | Path | None = None,
    device: str = "auto",
    cache: str | Path | None = None,
    size_px: int | None = None,
    seed: int = 0,
    on_video: Callable[[str, int, int], None] | None = None,
) -> RunEvaluation:
    """Generate the videos of the paper's tables from a trained run, and measure them.

    Args:
        run: folder of a run of `gaia-train vae` or `gaia-train diffusion`.
        dataset: folder or address of a curated dataset that has the test set.
        out: folder; each protocol has a folder of its own in it. The same call goes on with what is there.
        protocol: name of a protocol, or of a set of protocols; `paper` has those of Tables 2 and 3, of which a run
            without a motion network leaves out the last.
        limit: number of driving clips of each protocol; None: all.
        test_list: file of the names of the test videos, one a line; None: all clips of the test set.
        device: auto, cpu, cuda or cuda:K.
        cache: folder of the features of measured videos; None: one in the user's cache.
        size_px: width to which all pictures are scaled to be measured; None: that of the run.
        seed: of the intervals and tests; what is generated follows from the seeds of the protocols.
        on_video: called with the name of what is done (`generate` or `measure`, and the protocol), the number of videos
            done, and of all.

    Raises:
        UnsuitedRunError: the run was not trained for any protocol; the message names the command that trains one.
        HeldOutError: there is no clip that the run has not learned from.
        GaiaError: the run, the dataset, the list or `out` cannot be used.
        OSError: the disk refused; the videos so far stay.
    """
    members, protocols = load_protocols(protocol)
    if members.test_list == "required" and test_list is None:
        raise UsageError(
            f"protocol {protocol} ({members.origin}) is run on listed videos; give --test-list, a text file with the "
            "name of a video a line"
        )
    tested = load_tested_run(run, dataset, test_list=test_list, device=device)
    able, skipped = _able(tested, protocols)
    faces = _faces(tested.dataset)
    evaluated = []
    for name in able:
        folder = Path(out) / name
        generated = generate_videos(
            tested, name, protocols[name], folder, limit=limit, on_video=_of("generate", name, on_video)
        )
        systems = {tested.folder.path.resolve().name: generated.outputs}
        if generated.copy is not None:
            systems |= {COPY_SYSTEM: generated.copy}
        table = evaluate_outputs(
            systems,
            generated.truth,
            folder / TABLE_FOLDER,
            table=protocols[name].table,
            reference=generated.reference,
            faces=faces,
            cache=cache,
            size_px=size_px,
            device=device,
            seed=seed,
            progress=_of("measure", name, on_video),
        )
        evaluated.append(EvaluatedProtocol(generated=generated, table=table))
    return RunEvaluation(
        protocols=tuple(evaluated),
        skipped=tuple(skipped),
        notes=(*tested.clips.notes, *_list_notes(members, tested, test_list)),
    )


def _able(run: TestedRun, protocols: Mapping[str, EvaluationProtocol]) -> tuple[list[str], list[str]]:
    """Return the protocols that a run was trained for, and why it was not for the others.

    Raises:
        UnsuitedRunError: it was trained for none.
    """
    able: list[str] = []
    refused: list[UnsuitedRunError] = []
    for name, protocol in protocols.items():
        try:
            run.require_able(name, protocol)
            able.append(name)
        except UnsuitedRunError as error:
            refused.append(error)
    if not able:
        raise refused[0]
    return able, [str(error) for error in refused]


def _faces(dataset: Dataset) -> str:
    """Return the face finder that a dataset was made with."""
    perception = dataset.settings.get("perception")
    faces = perception.get("faces") if isinstance(perception, dict) else None
    return faces if isinstance(faces, str) else "mediapipe"


def _of(what: str, name: str, on_video: Callable[[str, int, int], None] | None) -> Callable[[int, int], None] | None:
    if on_video is None:
        return None
    return lambda done, of_all: on_video(f"{what} {name}", done, of_all)


def _list_notes(members: ProtocolSet, run: TestedRun, test_list: str | Path | None) -> list[str]:
    n_videos = len(set(run.clips.index.rows["video_id"].to_pylist()))
    if test_list is None or members.videos in (None, n_videos):
        return []
    return [f"{members.origin}; here {count_text(n_videos, 'video has', 'videos have')} clips"]
