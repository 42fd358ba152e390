"""Write docs/reference/python.md: the public names of the packages, their signatures and what they are for.

    python docs/make_python_reference.py

It writes tests/packaging/public_api.txt, too, the list that a change of the public interface has to change. The public
names of a package are its `__all__`. Signatures are those of the source, and the words are the first paragraph of each
docstring. Tests compare both files with what this makes.
"""

import ast
import importlib
import inspect
import itertools
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

PACKAGES = ("manifests", "curation", "training", "generation")

PAGE = Path(__file__).with_name("reference") / "python.md"

FROZEN = Path(__file__).parents[1] / "tests" / "packaging" / "public_api.txt"

_NOT_MADE_BY_USERS = ("manifests.Clip",)
"""Classes that users get from a function; their constructors are not part of the interface."""

_TITLES = {"function": "Functions", "class": "Types", "value": "Values", "error": "Errors"}
"""Kinds of names in the order of the page, with the words of its lists of links."""

_INTRODUCTION = """# Python

The public functions and classes. What is not listed here may change without notice. Importing a package loads neither
torch nor OpenCV: a name is imported when it is first used. The [quickstart](../quickstart.md#from-python) has examples.

`docs/make_python_reference.py` makes this page from the docstrings, which say more: `help(manifests.Dataset)`.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class PublicName:
    """A public name, or a member of a public class."""

    name: str
    """With its package, such as `manifests.Dataset.clips`."""
    kind: str
    """function, class, value, error, attribute."""
    signature: str
    """Parameters and result as the source has them; of an attribute its type, where it is known."""
    summary: str
    """First paragraph of its docstring."""
    members: tuple["PublicName", ...] = ()

    @property
    def last(self) -> str:
        """The name without its package and class."""
        return self.name.rpartition(".")[2]


def public_names(package: str) -> list[PublicName]:
    """Return the names in `__all__` of a package: functions, classes, values and errors, each by name."""
    module = importlib.import_module(package)
    names = [_described(module, name) for name in getattr(module, "__all__", ())]
    return sorted(names, key=lambda one: (list(_TITLES).index(one.kind), one.name.lower()))


def page() -> str:
    """Return the page."""
    parts = [_INTRODUCTION]
    for package in PACKAGES:
        names = public_names(package)
        if names:
            parts += [f"## {package}\n", _paragraph(importlib.import_module(package).__doc__) + "\n"]
            parts += [_overview(names) + "\n"]
            parts += [part for name in names for part in _section(name)]
    return "\n".join(parts)


def signatures(package: str) -> list[str]:
    """Return a line for each public name of a package and each public member of its classes."""
    names = [one for name in public_names(package) for one in (name, *name.members)]
    return [f"{name.name}{name.signature}" for name in names]


def _overview(names: list[PublicName]) -> str:
    """Return a list of links to the names, a line for each kind."""
    lines = []
    for kind, title in _TITLES.items():
        links = [f"[{name.last}](#{_title(name).lower().replace(' ', '-')})" for name in names if name.kind == kind]
        if links:
            lines.append(f"- {title}: {', '.join(links)}")
    return "\n".join(lines)


def _title(name: PublicName) -> str:
    """Return the heading of a name, which tells the class `Plan` from the function `plan`."""
    return f"class {name.last}" if name.kind == "class" else name.last


def _section(name: PublicName) -> Iterator[str]:
    yield f"### {_title(name)}\n"
    if name.signature:
        yield f"```python no-run: a signature\n{name.last}{name.signature}\n```\n"
    yield f"{name.summary}\n"
    if name.members:
        yield "\n".join(
            f"- `{member.last}{member.signature}`{': ' if member.summary else ''}{member.summary}"
            for member in name.members
        )
        yield ""


def _described(module: ModuleType, name: str) -> PublicName:
    value = getattr(module, name)
    full = f"{module.__name__}.{name}"
    if inspect.isclass(value):
        error = issubclass(value, Exception)
        members = () if error else (*_attributes(full, value), *_members(full, value))
        members = tuple({member.name: member for member in members}.values())  # a field that a subclass redefines
        return PublicName(
            name=full,
            kind="error" if error else "class",
            signature="" if error or full in _NOT_MADE_BY_USERS else _constructor(value),
            summary=_paragraph(value.__doc__),
            members=members,
        )
    if inspect.isfunction(value):
        signature = _signature(_definition(value))
        return PublicName(name=full, kind="function", signature=signature, summary=_paragraph(value.__doc__))
    return PublicName(name=full, kind="value", signature="", summary=_words_of_value(module, name, value))


def _attributes(full: str, owner: type) -> Iterator[PublicName]:
    """Yield what the section `Attributes:` of a docstring lists, and the fields of a dataclass or model."""
    listed = re.split(r"^Attributes:\n", inspect.getdoc(owner) or "", flags=re.MULTILINE)[1:]
    for entry in re.findall(r"^    (\w+): (.*(?:\n {6,}.*)*)", listed[0] if listed else "", flags=re.MULTILINE):
        yield PublicName(name=f"{full}.{entry[0]}", kind="attribute", signature="", summary=_paragraph(entry[1]))
    for base in reversed(owner.__mro__):
        if base.__module__.partition(".")[0] in (*PACKAGES, "foundation"):
            yield from _fields(full, base)


def _fields(full: str, owner: type) -> Iterator[PublicName]:
    """Yield the fields that a class declares itself."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    for statement, following in itertools.pairwise([*body, ast.Pass()]):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            name, kind = statement.target.id, _text(statement.annotation)
            if not name.startswith("_") and not kind.startswith("ClassVar"):
                words = _docstring(following)
                yield PublicName(name=f"{full}.{name}", kind="attribute", signature=f": {kind}", summary=words)


def _members(full: str, owner: type) -> Iterator[PublicName]:
    for name, value in vars(owner).items():
        function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        if name.startswith("_") or not inspect.isfunction(function):
            continue
        definition, words = _definition(function), _paragraph(function.__doc__)
        if isinstance(value, property):
            signature = "" if definition.returns is None else f": {_text(definition.returns)}"
        else:
            signature = _signature(definition, bound=not isinstance(value, staticmethod))
        yield PublicName(name=f"{full}.{name}", kind="function", signature=signature, summary=words)


def _constructor(owner: type) -> str:
    """Return the parameters of a class's own `__init__`; empty where it has none, as a dataclass."""
    function = vars(owner).get("__init__")
    if not inspect.isfunction(function) or "__dataclass_fields__" in vars(owner):
        return ""
    return f"({', '.join(_parameters(_definition(function).args, bound=True))})"


def _signature(definition: ast.FunctionDef, *, bound: bool = False) -> str:
    result = "" if definition.returns is None else f" -> {_text(definition.returns)}"
    return f"({', '.join(_parameters(definition.args, bound=bound))}){result}"


def _parameters(arguments: ast.arguments, *, bound: bool) -> Iterator[str]:
    positional = [*arguments.posonlyargs, *arguments.args]
    without_default = len(positional) - len(arguments.defaults)
    for number, argument in enumerate(positional):
        if number or not bound:
            default = None if number < without_default else arguments.defaults[number - without_default]
            yield _parameter(argument, default)
    if arguments.vararg is not None:
        yield f"*{_parameter(arguments.vararg, None)}"
    elif arguments.kwonlyargs:
        yield "*"
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _parameter(argument, default)
    if arguments.kwarg is not None:
        yield f"**{_parameter(arguments.kwarg, None)}"


def _parameter(argument: ast.arg, default: ast.expr | None) -> str:
    text = argument.arg if argument.annotation is None else f"{argument.arg}: {_text(argument.annotation)}"
    if default is None:
        return text
    return f"{text}{' = ' if argument.annotation else '='}{ast.unparse(default)}"


def _text(node: ast.expr) -> str:
    """Return an annotation, without the quotes of one that is evaluated late."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ast.unparse(node)


def _definition(function: object) -> ast.FunctionDef:
    source = inspect.getsource(inspect.unwrap(function))  # type: ignore[arg-type]  # any function will do
    (definition,) = ast.parse(textwrap.dedent(source)).body
    if not isinstance(definition, ast.FunctionDef):
        raise TypeError(f"{function} is not defined by `def`")
    return definition


def _words_of_value(module: ModuleType, name: str, value: object) -> str:
    """Return the meaning of a table, or the docstring below the assignment of any other value."""
    meaning = getattr(value, "meaning", None)
    if isinstance(meaning, str):
        return f"Table `{name.lower()}`. {meaning}"
    origin = next(
        node.module
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.ImportFrom) and node.module and name in [alias.name for alias in node.names]
    )
    body = ast.parse(inspect.getsource(importlib.import_module(origin))).body
    for statement, following in itertools.pairwise(body):
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return _docstring(following)
    return ""


def _docstring(statement: ast.stmt) -> str:
    """Return the first paragraph of the string that a statement is; empty for any other statement."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return _paragraph(str(statement.value.value))
    return ""


def _paragraph(text: str | None) -> str:
    return " ".join(inspect.cleandoc(text or "").partition("\n\n")[0].split())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    FROZEN.write_text("".join(f"{line}\n" for package in PACKAGES for line in signatures(package)), encoding="utf-8")
