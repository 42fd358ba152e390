"""A number before a noun in text for people is written by `count_text`, which knows that one thing is no "things"."""

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

COUNTED = re.compile(
    r" (clips|faces|files|folders|groups|labels|limits|pairs|people|persons|problems|samples|speakers|videos|voices)\b"
)

FOLDERS = (
    *(
        f"curation/{name}"
        for name in ("cli", "dataset_tools", "differences", "operations", "review", "splits", "what_if")
    ),
    "manifests/card",
)
"""Whose texts commands print as their result."""

SEVERAL = {"curation/operations/analyze.py", "curation/operations/find_person.py", "curation/review/labels.py"}
"""Modules whose only such texts are never of one thing."""


def counts_of(source: str) -> Iterator[str]:
    """Yield the texts in which a value that is no `count_text` stands before a noun in the plural."""
    for node in ast.walk(ast.parse(source)):
        parts = node.values if isinstance(node, ast.JoinedStr) else []
        for value, text in itertools.pairwise(parts):
            known = isinstance(text, ast.Constant) and isinstance(value, ast.FormattedValue)
            if known and COUNTED.match(str(text.value)) and not ast.unparse(value.value).startswith("count_text("):
                yield f"{ast.unparse(value.value)}{text.value}"


def test_what_a_person_reads_of_one_thing_is_not_in_the_plural(repository: Path) -> None:
    found = [
        f"{path.relative_to(repository)}: {text}"
        for folder in FOLDERS
        for path in sorted((repository / folder).rglob("*.py"))
        if str(path.relative_to(repository)) not in SEVERAL
        for text in counts_of(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_a_plural_after_a_bare_number_is_found() -> None:
    assert list(counts_of('f"{n:,} videos were left out"')) == ["n videos were left out"]
    assert list(counts_of('f"{count_text(n, word)} of {name}"')) == []
