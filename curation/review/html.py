"""The page as one HTML file, with the scripts that draw its charts."""

from dataclasses import asdict
from functools import cache
from importlib.resources import files

from curation.review.page_data import Page
from foundation.errors import CannotStartError
from foundation.html_page import html_page, page_part

__all__ = ["MissingChartsError", "page_html"]

_PACKAGE = "curation.review"

_SCRIPTS = ("base.js", "labels.js", "samples.js", "overview.js", "rules.js", "videos.js", "clips.js", "start.js")
"""In the order in which they run."""


class MissingChartsError(CannotStartError):
    """The package with the charts is not installed."""


def page_html(page: Page) -> str:
    """Return the page as HTML that needs nothing beside it.

    Raises:
        MissingChartsError: the package plotly is not installed.
    """
    own = [page_part("foundation", "elements.js"), *(page_part(_PACKAGE, name) for name in _SCRIPTS)]
    return html_page(
        page_part(_PACKAGE, "page.html"),
        title=f"{'Report on' if page.kind == 'report' else 'Samples of'} {page.dataset}",
        style=page_part(_PACKAGE, "page.css"),
        data=asdict(page),
        scripts={"charts": _charts(), "script": "\n".join(own)},
    )


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
