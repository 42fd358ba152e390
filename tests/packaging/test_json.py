"""What is written as JSON can be read as JSON: `json.dumps` writes NaN and Infinity unless it is told not to."""

import ast
from pathlib import Path

PACKAGES = ("foundation", "manifests", "curation", "models", "training", "generation")

SHOWN = ("foundation/settings.py", "foundation/settings_text.py", "foundation/weights/registry.py")
"""Modules that show values to people, or pass them on to a check of their types; no file is made of them."""

TEXTS = ("curation/operations/forget.py",)
"""Modules that write texts alone."""


def _calls(path: Path) -> list[ast.Call]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [call for call in calls if ast.unparse(call.func) in ("json.dumps", "json.dump")]


def test_no_module_writes_numbers_that_json_does_not_have(repository: Path) -> None:
    careless = {
        f"{path.relative_to(repository)}:{call.lineno}"
        for package in PACKAGES
        for path in (repository / package).rglob("*.py")
        if str(path.relative_to(repository)) not in (*SHOWN, *TEXTS)
        for call in _calls(path)
        if not any(word.arg == "allow_nan" and ast.unparse(word.value) == "False" for word in call.keywords)
    }
    assert careless == set()
