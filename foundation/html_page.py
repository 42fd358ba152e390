"""A page as one HTML file: styles, scripts and data in it, and a policy that keeps it from the network.

Names in the data may come from anyone. They stand in the page as JSON only, in which `<`, `>` and `&` are escaped, so
that no name ends the element that holds it; the scripts write them as text. Only the page's own scripts run: the policy
names their digests.
"""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from types import MappingProxyType

from foundation.json_text import json_text

__all__ = ["html_page", "page_part"]

_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def html_page(
    template: str,
    *,
    title: str,
    style: str,
    data: object,
    scripts: Mapping[str, str],
    html: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Return a page as HTML that needs nothing beside it.

    The styles of all pages come before those of this one, and `elements.js` is for the scripts to begin with: it reads
    the data and makes elements.

    Args:
        template: HTML with the places `$policy`, `$title`, `$style`, `$data`, and one for each script by its name. The
            data stand in an element of type `application/json` with the id `page-data`.
        title: for the window.
        style: CSS of this page.
        data: what `json_text` takes.
        scripts: JavaScript by the name of its place; nothing in it ends the element `script`.
        html: further parts by the names of their places; nothing in them comes from strangers.
    """
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(_digest(script) for script in scripts.values())}",
            "style-src 'unsafe-inline'",
            "img-src data: blob:",
            "media-src data: blob: file: 'self'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    return Template(template).substitute(
        {**scripts, **html},
        policy=escape(policy),
        title=escape(title),
        style=page_part("foundation", "page.css") + style,
        data=_escaped(json_text(data)),
    )


@cache
def page_part(package: str, name: str) -> str:
    """Return the text of a file in the folder `page` of a package.

    >>> page_part("foundation", "elements.js").splitlines()[0]
    '"use strict";'
    """
    return (files(package) / "page" / name).read_text(encoding="utf-8")


def _escaped(text: str) -> str:
    for character, escaped in _ESCAPES.items():
        text = text.replace(character, escaped)
    return text


def _digest(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode('ascii')}'"
