"""What people said of a dataset and of videos: labels and ratings, as pages save them, and the videos rated."""

import json
import shutil
from pathlib import Path
from typing import Any

from benchmarks.hostile.material import Place

__all__ = ["KEY", "LABELS_FILE", "RATERS", "SYSTEMS", "make_judged"]

LABELS_FILE = "labels.json"

KEY = "sheet.key.json"

RATERS = "raters"
"""Folder of what raters saved."""

SYSTEMS = ("ours", "rival")
"""Folders of the systems whose videos are rated."""


def make_judged(place: Place) -> int:
    """Label all stretches of the dataset, and rate two videos of two systems; return 0."""
    from curation import write_label_sheet
    from training import write_rating_sheet

    for system in SYSTEMS:
        for name in ("a", "c"):
            video = place.outputs / system / f"{name}.mp4"
            video.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(place.raw / f"{name}.mp4", video)
    (place.judged / RATERS).mkdir(parents=True)
    page = place.folder / "sheet.html"
    write_label_sheet(place.dataset, page, n=40)
    (place.judged / LABELS_FILE).write_text(json.dumps(_labels(_data(page))))
    write_rating_sheet([str(place.outputs / system) for system in SYSTEMS], page)
    shutil.move(page.with_suffix(".key.json"), place.judged / KEY)
    for number, rater in enumerate(("anna", "ben")):
        text = json.dumps(_ratings(_data(page), rater, number))
        (place.judged / RATERS / f"{rater}.json").write_text(text)
    page.unlink()
    return 0


def _data(page: Path) -> dict[str, Any]:
    """Return the data in a page."""
    text = page.read_text(encoding="utf-8").partition('id="page-data">')[2]
    return dict(json.loads(text.partition("</script>")[0]))


def _labels(page: dict[str, Any]) -> dict[str, Any]:
    """Return what the page saves where every second stretch is right."""
    criteria = page["criteria"]
    samples = [sample for one in criteria for sample in one["samples"]]
    names = ("criterion", "video_id", "start_s", "end_s", "value", "dropped", "stratum")
    return {
        "format": "gaia-labels",
        "version": 1,
        **{name: page[name] for name in ("dataset", "identity", "draw")},
        "criteria": {one["key"]: {"limit": one["limit"], "strata": one["strata"]} for one in criteria},
        "labels": [{**{name: one[name] for name in names}, "right": n % 2 == 0} for n, one in enumerate(samples)],
    }


def _ratings(page: dict[str, Any], rater: str, number: int) -> dict[str, Any]:
    """Return what the page saves of a rater who leaves out the last item."""
    items, criteria = page["items"], page["criteria"]
    grades = [{one["key"]: (number + n + c) % 5 + 1 for c, one in enumerate(criteria)} for n in range(len(items) - 1)]
    ratings = [{"item": items[n]["id"], "position": n, "grades": own} for n, own in enumerate(grades)]
    return {
        "format": "gaia-ratings",
        "version": 1,
        "sheet": page["sheet"],
        "rater": rater,
        "seed": page["seed"],
        "n_items": len(items),
        "ratings": ratings,
        "left_out": [items[-1]["id"]],
    }
