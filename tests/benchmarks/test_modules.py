import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "benchmarks").rglob("*.py"))
    if path.name != "__init__.py"
]
PROGRAMS = [
    module
    for module in MODULES
    if "__main__" in (ROOT / module.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8")
]
IMPORT_AND_HELP = """
import importlib, runpy, sys
imported = [importlib.import_module(name) for name in sys.argv[1].split(",")]
for name in sys.argv[2].split(","):
    sys.argv = [name, "--help"]
    sys.modules.pop(name)
    try:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        print(f"\\n{name} ended with {end.code}")
"""


@pytest.fixture(scope="module")
def output() -> str:
    """What one process prints that imports every module and asks every program for help."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_AND_HELP, ",".join(MODULES), ",".join(PROGRAMS)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_prints_its_help(program: str, output: str) -> None:
    assert f"\n{program} ended with 0\n" in output


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_states_its_question_and_command_and_the_readme_lists_both(program: str) -> None:
    docstring = ast.get_docstring(ast.parse(_path(program).read_text(encoding="utf-8")))
    assert docstring is not None
    question, mark, _ = docstring.splitlines()[0].partition("?")
    assert mark, "the first line asks no question"
    command = f"python -m {program.removesuffix('.__main__')}"
    assert command in docstring
    readme = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert f"| `{command}` | {question}? |" in readme


def test_every_module_is_a_program_or_imported_by_one() -> None:
    sources = {module: _path(module).read_text(encoding="utf-8") for module in MODULES}
    unused = [
        module
        for module in set(MODULES) - set(PROGRAMS)
        if not any(f"from {module} import" in text for other, text in sources.items() if other != module)
    ]
    assert unused == []


def _path(module: str) -> Path:
    return (ROOT / module.replace(".", "/")).with_suffix(".py")
