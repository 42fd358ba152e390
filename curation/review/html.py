"""The page as one HTML file: styles, scripts and data in it, and a policy that keeps it from the network.

Names in a dataset may come from anyone. They stand in the page as JSON only, in which `<`, `>` and `&` are escaped, so
that no name ends the element that holds it; the scripts write them as text. Only the page's own scripts run: the policy
names their digests.
"""

import base64
import hashlib
from dataclasses import asdict
from functools import cache
from html import escape
from importlib.resources import files
from string import Template

from curation.review.page_data import Page
from foundation.errors import CannotStartError
from foundation.json_text import json_text

__all__ = ["MissingChartsError", "page_html"]

_SCRIPTS = ("base.js", "labels.js", "samples.js", "overview.js", "rules.js", "videos.js", "clips.js", "start.js")
"""In the order in which they run."""

_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


class MissingChartsError(CannotStartError):
    """The package with the charts is not installed."""


def page_html(page: Page) -> str:
    """Return the page as HTML that needs nothing beside it.

    Raises:
        MissingChartsError: the package plotly is not installed.
    """
    script = "\n".join(_asset(name) for name in _SCRIPTS)
    charts = _charts()
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {_digest(charts)} {_digest(script)}",
            "style-src 'unsafe-inline'",
            "img-src data: blob:",
            "media-src data: blob: file: 'self'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    title = f"{'Report on' if page.kind == 'report' else 'Samples of'} {page.dataset}"
    return Template(_asset("page.html")).substitute(
        policy=escape(policy), title=escape(title), style=_asset("page.css"), data=_data(page), charts=charts,
        script=script,
    )  # fmt: skip


def _data(page: Page) -> str:
    text = json_text(asdict(page))
    for character, escaped in _ESCAPES.items():
        text = text.replace(character, escaped)
    return text


@cache
def _asset(name: str) -> str:
    return (files("curation.review") / "page" / name).read_text(encoding="utf-8")


@cache
def _charts() -> str:
    try:
        script = files("plotly") / "package_data" / "plotly.min.js"
        text = script.read_text(encoding="utf-8")
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise MissingChartsError(
            "the package plotly, which draws the charts, is missing: pip install plotly"
        ) from error
    return text.replace("</script", "<\\/script")


def _digest(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode('ascii')}'"
