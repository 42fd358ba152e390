"""Every page of the docs and the README: examples and commands run, what they show is what they print, links lead on.

Commands that only read or decide run in this process, all others as a shell runs them.
A page's examples and commands run in a folder that holds what the root of the checkout holds after `make demo`, as far
as a user sees it: `samples/` and the dataset `out/demo`. Each page has a folder of its own and runs from top to bottom.

    ```python       is executed; with `>>>` prompts, what is shown is compared
    ```console      lines after `$ ` are executed and must succeed; the lines that follow are compared
    ```bash         every line is executed and must succeed
    ```sql          is given to `gaia-curate stats out/demo --sql`

    ```json saved as labels.json    is a file that the commands after it find

`...` in what is shown stands for anything. A fence whose info string goes on with `no-run: REASON` is left alone. Only
our commands, Python and `make` may stand in a fence that is run; of `make`, it is checked that the target exists.
"""

import contextlib
import doctest
import io
import itertools
import re
import shlex
import shutil
import subprocess
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from typer.testing import CliRunner

from curation.cli.app import app as gaia_curate

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "benchmarks" / "results").glob("*.md")),
]
SAVED = re.compile(r"saved as (?P<name>[\w.-]+)")
"""Options of a fence whose content is a file that a user has at that place of the page."""
SHELLS = ("console", "bash", "sql")
SHOWN_ONLY = ("json", "text", "toml", "yaml")
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
CURATED_SAMPLE = re.compile(r"gaia-curate run --source samples --out (?P<out>[\w-]+) --preset embedded")
"""The command that has made `out/demo`; what it would make under another name is a copy of that."""
READING = (
    "calibrate",
    "decide",
    "diff",
    "explain",
    "forget",
    "label-sheet",
    "report",
    "settings",
    "stats",
    "validate",
    "what-if",
)
"""Commands of `gaia-curate` that take less time than an interpreter to start."""
SHELL_WORDS = {"|", "||", ">", ">>", "2>&1", "#"}
DEVELOPERS_FOLDER = re.compile(r"/(?:home|root|Users|work)/\w")


@dataclass(frozen=True, kw_only=True, slots=True)
class Fence:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    options: str
    content: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def runs(self) -> bool:
        return not self.options.startswith("no-run")

    @property
    def saved_as(self) -> str | None:
        found = SAVED.fullmatch(self.options)
        return found["name"] if found and self.language in SHOWN_ONLY else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """A command line and what the page shows of its output, if anything."""

    line: str
    shown: str


def _tokens(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))


def _fences(page: Path) -> Iterator[Fence]:
    for token in _tokens(page):
        if token.type == "fence":
            language, _, options = token.info.strip().partition(" ")
            yield Fence(
                page=str(page.relative_to(ROOT)),
                line=token.map[0] + 1 if token.map else 0,
                language=language,
                options=options.strip(),
                content=token.content,
            )


def _commands(fence: Fence) -> list[Command]:
    """Return the commands of a fence of `SHELLS`; a line that ends in a backslash goes on in the next."""
    if fence.language == "sql":
        return [Command(line=f"gaia-curate stats out/demo --sql {shlex.quote(fence.content)}", shown="")]
    text = fence.content.replace("\\\n", " ")
    if fence.language == "bash":
        return [Command(line=line, shown="") for line in text.splitlines() if line.strip() and not line.startswith("#")]
    commands: list[Command] = []
    for line in text.splitlines(keepends=True):
        if line.startswith("$ "):
            commands.append(Command(line=line[2:].strip(), shown=""))
        elif commands:
            commands[-1] = Command(line=commands[-1].line, shown=commands[-1].shown + line)
    return commands


def _pages_with(*languages: str) -> list[pytest.ParameterSet]:
    return [
        pytest.param(page, id=str(page.relative_to(ROOT)))
        for page in PAGES
        if any(fence.language in languages and fence.runs for fence in _fences(page))
    ]


def _make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))


def _run(command: Command, where: str, *, environment: dict[str, str]) -> None:
    """Run a command in the working directory."""
    program, *arguments = shlex.split(command.line, comments=True)
    if program == "make":
        assert set(arguments) <= _make_targets(), f"{where}: the Makefile has no such target: {command.line}"
        return
    known = {"gaia-curate", "gaia-train", "python"}
    assert program in known, f"{where}: {program} is not run; say 'no-run: REASON' in the fence"
    if made_before := CURATED_SAMPLE.fullmatch(command.line):
        shutil.copytree(Path("out", "demo"), made_before["out"])
        return
    if program == "gaia-curate" and arguments[0] in READING and not SHELL_WORDS & set(shlex.split(command.line)):
        code, out, told = _in_this_process(arguments)
    else:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command.line],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        code, out, told = done.returncode, done.stdout, done.stderr
    assert code == 0, f"{where}: {command.line}\nended with {code}\n{out}\n{told}"
    if command.shown.strip():
        matches = doctest.OutputChecker().check_output(command.shown, out, FLAGS)
        assert matches, f"{where}: {command.line}\nprints\n{out}\nand not, as the page shows,\n{command.shown}"


def _in_this_process(arguments: list[str]) -> tuple[int, str, str]:
    """Run `gaia-curate` without an interpreter of its own; return its exit code, what it printed, and its errors."""
    result = CliRunner().invoke(gaia_curate, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def demo_folder(curated_sample: Path, tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    shutil.copytree(curated_sample, tmp_path / "out" / "demo")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("page", _pages_with(*SHELLS))
def test_commands_of_a_page_succeed_and_print_what_it_shows(
    page: Path, demo_folder: Path, command_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(demo_folder)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")
    for fence in _fences(page):
        if fence.saved_as is not None:
            Path(fence.saved_as).write_text(fence.content, encoding="utf-8")
        if fence.language in SHELLS and fence.runs:
            for command in _commands(fence):
                _run(command, fence.where, environment={**command_environment, "COLUMNS": "120"})


@pytest.mark.slow
@pytest.mark.parametrize("page", _pages_with("python"))
def test_examples_of_a_page_run_and_give_what_it_shows(
    page: Path, demo_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(demo_folder)
    names: dict[str, object] = {"__name__": "__main__"}
    for fence in _fences(page):
        if fence.language == "python" and fence.runs:
            _run_example(fence, names)


def _run_example(fence: Fence, names: dict[str, object]) -> None:
    if ">>>" not in fence.content:
        source = "\n" * fence.line + fence.content  # so that a traceback names the page's line
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(source, fence.page, "exec"), names)  # noqa: S102 - the page's code is the project's code
        return
    example = doctest.DocTestParser().get_doctest(fence.content, names, fence.where, fence.page, fence.line)
    report = io.StringIO()
    doctest.DocTestRunner(optionflags=FLAGS).run(example, out=report.write, clear_globs=False)
    names.update(example.globs)
    assert not report.getvalue(), report.getvalue()


def test_every_fence_says_what_it_is_and_why_it_is_not_run() -> None:
    for page in PAGES:
        for fence in _fences(page):
            known = {"python", *SHELLS, *SHOWN_ONLY}
            assert fence.language in known, f"{fence.where}: '{fence.language}' is none of {', '.join(sorted(known))}"
            reasoned = fence.saved_as or re.fullmatch(r"|no-run: \S.*", fence.options)
            assert reasoned is not None, f"{fence.where}: '{fence.options}' is no 'no-run: REASON'"


def _anchors(page: Path) -> set[str]:
    """Return the names under which the headings of a page can be linked: lower case, without punctuation."""
    tokens = _tokens(page)
    titles = [after.content for token, after in itertools.pairwise(tokens) if token.type == "heading_open"]
    kept = ("".join(c for c in title.lower() if unicodedata.category(c)[0] in "LN" or c in " -_") for title in titles)
    return {title.strip().replace(" ", "-") for title in kept}


def _targets(page: Path) -> Iterator[str]:
    for token in _tokens(page):
        for child in token.children or ():
            target = child.attrGet("href") or child.attrGet("src")
            if target is not None:
                yield str(target)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in _targets(page):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{page.name}: {target} does not exist"
        assert not anchor or anchor in _anchors(file), f"{page.name}: {target}: no heading has that name"


def test_no_file_names_a_folder_of_a_developers_machine() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found: list[str] = []
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            text = (ROOT / name).read_bytes().decode("utf-8", errors="ignore")
            found += [f"{name}: {match.group()}" for match in DEVELOPERS_FOLDER.finditer(text)]
    assert found == []
