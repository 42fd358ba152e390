"""Every command on a dataset and on a run folder, as a function of the place where a case happens."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.hostile.judged import KEY, LABELS_FILE, RATERS, SYSTEMS
from benchmarks.hostile.material import DIFFUSION, RUN, VAE, Place

__all__ = ["COMMANDS", "VIDEO", "Command"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """A command, and what of the sound material it looks at."""

    name: str
    program: str
    """`gaia-curate`, `gaia-train`, `gaia-generate`, or `python` for the library."""
    arguments: Callable[[Place], list[object]]
    reads: tuple[str, ...] = ("dataset",)
    """Folders of the place that it is given."""
    ends: tuple[int, ...] = (0,)
    """Exit codes on the sound material."""
    refuses: str = ""
    """Words with which it refuses the sound material, where it does."""
    slow: bool = False
    """Takes seconds where it is not refused."""
    reads_sources: bool = False
    """Opens the source videos that the dataset names: that is its task."""
    follows: tuple[str, ...] = ()
    """Files and folders on its command line, whose links are the user's own; with a slash at the end, all in them."""
    only_reads: bool = False
    """Changes nothing in the folders that it is given."""
    whole: bool = False
    """What it makes in a new place is there as a whole or, after an error, not at all."""


def _command(name: str, program: str, *arguments: object, **facts: object) -> Command:
    """Return a command whose arguments may be functions of the place."""

    def build(place: Place) -> list[object]:
        return [one(place) if callable(one) else one for one in arguments]

    return Command(name=name, program=program, arguments=build, **facts)  # type: ignore[arg-type]


def _curate(name: str, *arguments: object, **facts: object) -> Command:
    return _command(name, "gaia-curate", *arguments, **facts)


def _train(name: str, *arguments: object, **facts: object) -> Command:
    return _command(name, "gaia-train", *arguments, slow=True, **facts)


def _generate(name: str, *arguments: object, **facts: object) -> Command:
    out = ("--out", lambda place: place.made / "video.mp4", "--device=cpu")
    given = ("--run", _motion, "--portrait", lambda place: place.portrait, "--speech", lambda place: place.speech)
    return _command(name, "gaia-generate", *given, *out, *arguments, reads=("motion",), **facts)


def _dataset(place: Place) -> Path:
    return place.dataset


def _vae(place: Place) -> Path:
    return place.vae


def _sound(place: Place) -> Path:
    return place.sound / "dataset"


def _output(system: str) -> Callable[[Place], Path]:
    return lambda place: place.outputs / system


def _made(name: str) -> Callable[[Place], Path]:
    """Return a function to the place of a new file or folder."""
    return lambda place: place.made / name


def _motion(place: Place) -> Path:
    return place.motion


def _run(place: Place) -> list[object]:
    options = ["--source", place.source_list, "--out", place.dataset, "--preset", "embedded", *RUN]
    return ["run", *options, "--exclude-speakers", place.excluded]


def _plan(place: Place) -> list[object]:
    options = ["--source", place.source_list, "--out", place.dataset, "--preset", "embedded", *RUN]
    return ["plan", *options, "--executor", "inline"]


VIDEO = "a.mp4"
"""Video that commands are asked about."""

_NONE_LEFT = "no video is left to curate"

_SQL = (
    "SELECT (SELECT max(path) FROM videos), (SELECT count(outcome) FROM spans), (SELECT sum(tick) FROM frames), * "
    "FROM clips"
)

_DROPS = "SELECT tier, outcome, count(DISTINCT video_id) FROM drops GROUP BY tier, outcome"

_READERS: tuple[Command, ...] = (
    _curate("explain", "explain", _dataset, VIDEO),
    _curate("explain a second", "explain", _dataset, VIDEO, "1.0"),
    _curate("stats", "stats", _dataset),
    _curate("stats --by", "stats", _dataset, "--by", "gender"),
    _curate("stats --sql", "stats", _dataset, "--sql", _SQL),
    _curate("stats --sql of drops", "stats", _dataset, "--sql", _DROPS),
    _curate("validate", "validate", _dataset),
    _curate("forget nothing", "forget", _dataset, "--speaker", "p1", "--dry-run"),
    _curate("what-if", "what-if", _dataset, "--vary", "rules.frontal.strict_deg=20,30", "--workers", "1"),
    _curate("diff", "diff", _dataset, _sound),
    _curate("diff from", "diff", _sound, _dataset, "--json"),
    _curate("diff of settings", "diff", _dataset, "--set", "rules.frontal.strict_deg=1"),
    Command(name="Dataset", program="python", arguments=lambda place: [place.dataset]),
)
"""Commands that look at a dataset and make nothing."""

_PAGES: tuple[Command, ...] = (
    _curate("report", "report", _dataset, "--out", _made("report.html"), slow=True, reads_sources=True),
    _curate(
        "report with clips",
        *("report", _dataset, "--out", _made("report.html"), "--media", "link"),
        slow=True,
        reads_sources=True,
    ),
    _curate(
        "label-sheet",
        *("label-sheet", _dataset, "--out", _made("sheet.html"), "--n", "20", "--media", "embed"),
        slow=True,
        reads_sources=True,
    ),
    _curate(
        "calibrate",
        *("calibrate", _dataset, lambda place: place.judged / LABELS_FILE, "--out", _made("limits.yaml")),
        reads=("dataset", "judged"),
        follows=(f"judged/{LABELS_FILE}",),
    ),
    _curate(
        "picture of what-if",
        *("what-if", _dataset, "--vary", "rules.sync.not_in_sync_z=1,3", "--workers", "1"),
        *("--plot", _made("kept.svg")),
    ),
    _command(
        "rating-table",
        "gaia-train",
        *("rating-table", lambda place: place.judged / KEY, lambda place: place.judged / RATERS),
        reads=("judged",),
        follows=(f"judged/{KEY}", f"judged/{RATERS}"),
    ),
    _command(
        "rating-sheet",
        "gaia-train",
        "rating-sheet",
        *(part for name in SYSTEMS for part in ("--outputs", _output(name))),
        *("--out", _made("ratings.html"), "--media", "link"),
        reads=("outputs",),
        follows=("outputs/",),
    ),
)
"""Commands that make a page, a table or a picture."""

_MAKERS: tuple[Command, ...] = (
    _curate("card", "card", _dataset),
    _curate("merge", "merge", _dataset, _sound, "--out", _made("merged")),
    _curate("merge into", "merge", _sound, _dataset, "--out", _made("merged")),
    _curate("subset", "subset", _dataset, "--where", "n_frames > 82", "--out", _made("subset")),
    _curate("split", "split", _dataset),
    *(
        _curate(f"export {to}", "export", _dataset, "--to", to, "--out", _made("export"), whole=True)
        for to in ("webdataset", "hf", "lance")
    ),
)
"""Commands that make a dataset of a dataset, or files for others."""

COMMANDS: tuple[Command, ...] = (
    Command(name="run", program="gaia-curate", arguments=_run, ends=(1,), reads_sources=True),
    Command(name="plan", program="gaia-curate", arguments=_plan, ends=(2,), refuses=_NONE_LEFT, reads_sources=True),
    _curate("retry", "retry", _dataset, "--failed", ends=(1,), reads_sources=True),
    _curate("decide", "decide", _dataset, "--out", lambda place: place.made / "decided"),
    _curate(
        "decide with clips",
        "decide",
        _dataset,
        "--out",
        lambda place: place.made / "rendered",
        "--render",
        slow=True,
        reads_sources=True,
    ),
    _curate("forget a person", "forget", _dataset, "--speaker", "p2"),
    _curate("forget a video", "forget", _dataset, "--video", VIDEO),
    _curate("forget a face", "forget", _dataset, "--face", lambda place: place.portrait, "--yes"),
    _curate("identities", "identities", _dataset),
    _curate("duplicates", "duplicates", _dataset),
    _curate(
        "sync fit",
        *("sync", "fit", _dataset, "--out", lambda place: place.made / "sync.safetensors"),
        ends=(2,),
        refuses="are too little",
        reads_sources=True,
        whole=True,
    ),
    *(replace(one, only_reads=True) for one in _READERS),
    *(replace(one, only_reads=True, whole=True) for one in _PAGES),
    *_MAKERS,
    _train("vae", "vae", _dataset, "--out", lambda place: place.made / "vae", *VAE),
    _train("vae again", "vae", _dataset, "--out", _vae, *VAE, "--set=train.steps=3", reads=("dataset", "vae")),
    _train("latents", "latents", _dataset, "--vae", _vae, "--device=cpu", reads=("dataset", "vae")),
    _train(
        "diffusion",
        "diffusion",
        *(_dataset, "--vae", _vae, "--out", lambda place: place.made / "motion", *DIFFUSION),
        reads=("dataset", "vae"),
    ),
    _train(
        "diffusion again",
        "diffusion",
        *(_dataset, "--vae", _vae, "--out", _motion, *DIFFUSION, "--set=train.steps=3"),
        reads=("dataset", "vae", "motion"),
    ),
    _generate("generate", slow=True),
    _generate("generate --dry-run", "--dry-run"),
)
"""All of them."""
