"""The public interface: its names and signatures, their late import, and that examples and commands need no more."""

import ast
import doctest
import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.python_reference import load_generator
from markdown_it import MarkdownIt

PUBLIC = ("manifests", "curation", "training", "generation")

OWN = ("foundation", "manifests", "curation", "models", "training", "generation")

NAMES = {
    "manifests": {
        *("Clip", "Dataset", "DatasetError", "MediaError", "QueryError", "Transcript", "Word"),
        *("landmark_scheme", "TICK_RATE_HZ"),
        *("TABLES", "VIDEOS", "FRAMES", "SPANS", "CLIPS"),
    },
    "curation": {
        *("analyze", "decide", "doctor", "forget", "load_settings", "plan", "read_evidence", "read_exclusions"),
        *("redecide", "register_model", "retry", "rule", "run"),
        *("CurationSettings", "Decision", "Evidence", "Exclusions", "Executor", "FaceMeasures", "MeasuredVideo"),
        *("Plan", "PoolSettings", "RetryReport", "Rule", "RuleError", "RulesSettings", "RunReport", "Sampling"),
        *("ScratchSettings", "Verdict"),
        *("find_duplicates", "find_identities", "find_person", "Duplicates", "FoundPerson", "IdentityReport"),
        *("PersonVideo", "SpeakingCard", "VoiceCard"),
        *("DenoiserCard", "EncoderCard", "FaceFinderCard", "HeadPoseCard", "IdentityCard", "MaskCard"),
        "TranscriberCard",
        *("calibrate", "compare", "vary", "write_label_sheet", "write_report"),
        *("Calibration", "Differences", "WhatIf", "WrittenPage"),
        *("Asset", "AssetFile", "FaceObservation", "UrlSource", "asset_path"),
    },
    "training": {
        *("Experiment", "LatentsResult", "TrainingResult", "encode_latents", "experiment_names", "load_experiment"),
        *("TextsResult", "encode_texts"),
        *("read_experiment", "train_diffusion", "train_experiment", "train_vae"),
        *("ExperimentRow", "ExperimentTable", "train_and_evaluate"),
        *("RatingTable", "WrittenSheet", "rating_table", "write_rating_sheet"),
        *("EvaluationTable", "RunEvaluation", "evaluate_outputs", "evaluate_run"),
    },
    "generation": {
        *("BatchResult", "EditAgreement", "GeneratedVideo", "GenerationError", "GenerationResult", "JobListError"),
        *("PoseAgreement", "talking_video", "talking_videos"),
    },
}
"""What users may rely on. Signatures are in public_api.txt, which `python docs/make_python_reference.py` writes."""

HEAVY = ("torch", "cv2", "ray", "dlib", "av", "duckdb", "pyarrow", "numpy", "scipy", "pydantic")

FOR_DEVELOPERS: dict[str, str] = {
    "docs/explanation/metrics.md: manifests.landmarks": "the landmarks that metrics of arrays are given",
    "docs/explanation/metrics.md: training.evaluation.landmark_distance": "metrics are functions of arrays, by module",
    "docs/explanation/metrics.md: training.evaluation.picture_error": "metrics are functions of arrays, by module",
    "docs/guides/ratings.md: training.ratings.rater_agreement": "agreement of grades that come from elsewhere",
}
"""By `file: module`, why an example reaches deeper than the public interface."""

COMMANDS = ("curation/cli/app.py", "curation/cli/options.py", "training/cli/app.py", "generation/cli.py")
"""Modules whose functions are commands. `curation/cli/models.py` is not among them: weights have no public function."""

OF_COMMANDS = (
    "curation.choices",
    "foundation",
    "foundation.command_line",
    "foundation.errors",
    "foundation.program_end",
    "foundation.text",
    "manifests.query_limits",
)
"""Modules that commands may import besides those of their own folder and the public names."""

packages = pytest.mark.parametrize("package", PUBLIC)


@packages
def test_public_names_are_those_that_users_may_rely_on(package: str) -> None:
    module = importlib.import_module(package)
    assert set(module.__all__) == NAMES[package]
    assert {*module.__all__} <= set(dir(module))
    for name in module.__all__:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = module.nothing


@packages
def test_signatures_are_the_frozen_ones(package: str, repository: Path) -> None:
    generator = load_generator(repository)
    frozen = generator.FROZEN.read_text(encoding="utf-8").splitlines()
    expected = [line for line in frozen if line.startswith(f"{package}.")]
    assert expected
    assert generator.signatures(package) == expected, (
        "users rely on the old ones; if the change is meant, run: python docs/make_python_reference.py"
    )


@packages
def test_no_public_name_is_that_of_a_submodule(package: str) -> None:
    # importing the submodule would put it in the place of the name
    module = importlib.import_module(package)
    assert NAMES[package] & {found.name for found in pkgutil.iter_modules(module.__path__)} == set()


def test_importing_the_packages_imports_none_of_their_modules(tmp_path: Path) -> None:
    program = (
        f"import {', '.join(PUBLIC)}, sys\n"
        f"print(*sorted(name for name in sys.modules if name.split('.')[0] in {OWN + HEAVY}))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {*PUBLIC, "foundation", "foundation.lazy"}


def _examples(repository: Path) -> Iterator[tuple[str, str]]:
    """Yield where users find Python, and its source: scripts of examples/, blocks of the README and the docs."""
    for path in sorted((repository / "examples").rglob("*.py")):
        yield str(path.relative_to(repository)), path.read_text(encoding="utf-8")
    for path in (repository / "README.md", *sorted((repository / "docs").rglob("*.md"))):
        for token in MarkdownIt("commonmark").parse(path.read_text(encoding="utf-8")):
            if token.type != "fence" or token.info.split()[:1] != ["python"] or "a signature" in token.info:
                continue
            prompts = doctest.DocTestParser().get_examples(token.content)
            source = "".join(example.source for example in prompts) if prompts else token.content
            yield str(path.relative_to(repository)), source


def _imports(source: str) -> Iterator[tuple[str, str | None]]:
    """Yield module and name of every import of our packages; the name is None where the module itself is imported."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found: list[tuple[str, str | None]] = [(node.module, alias.name) for alias in node.names]
        else:
            found = [(alias.name, None) for alias in node.names] if isinstance(node, ast.Import) else []
        yield from (one for one in found if one[0].partition(".")[0] in OWN)


def _is_public(module: str, name: str | None) -> bool:
    return module in PUBLIC and (name is None or name in NAMES[module])


def test_examples_import_nothing_but_public_names(repository: Path) -> None:
    deeper = {
        f"{where}: {module}": name
        for where, source in _examples(repository)
        for module, name in _imports(source)
        if not _is_public(module, name)
    }
    assert {key: name for key, name in deeper.items() if key not in FOR_DEVELOPERS} == {}
    assert [key for key in FOR_DEVELOPERS if key not in deeper] == [], "these exceptions are not needed any more"


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_call_nothing_but_public_names(repository: Path, command: str) -> None:
    path = repository / command
    room = ".".join(path.relative_to(repository).parent.parts)
    deeper = sorted(
        f"{module}.{name}"
        for module, name in _imports(path.read_text(encoding="utf-8"))
        if not _is_public(module, name) and module not in OF_COMMANDS and not module.startswith(f"{room}.")
    )
    assert deeper == []
