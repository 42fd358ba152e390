"""The report on a dataset, and the sheet of samples for labelling: each one HTML file that opens offline."""

import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from curation.review.cards import Media, Room, clip_card, criterion_cards, video_and_samples
from curation.review.measured_videos import MeasuredVideo, VideoRow, measured_videos
from curation.review.overview import (
    clip_measures,
    failure_rows,
    funnel_of,
    pose_measures,
    speaker_rows,
)
from curation.review.page_data import ClipCard, Page, SampleCard, VideoCard
from curation.review.page_notes import coverage_notes, page_of, report_notes
from curation.review.reviewed import Collected, Reviewed, read_reviewed
from curation.review.sampling import Sample, chosen_videos, drawn, nearest
from curation.review.written_page import (
    MOST_BYTES,
    Beside,
    WrittenPage,
    fitted_page,
    html_path,
    videos_beside,
    written_page,
)
from foundation.array_types import Float64Array
from foundation.errors import GaiaError, UsageError
from foundation.storage.locations import location
from foundation.text import count_text
from manifests.packing.one_state import in_one_state

__all__ = ["write_label_sheet", "write_report"]

_PAGE_BYTES = 8_000_000
"""Room for charts, tables and timelines beside embedded videos."""

_PICTURE_BYTES = 25_000
"""Room for the three pictures of a sample."""

_MOST_SAMPLES = 1_000
"""Samples of a sheet, whose pictures leave half of the page to videos."""

_NEAREST = 6
"""Samples on either side of each limit."""

_MOST_POSES = 300
"""Clips whose poses are read."""

OnProgress = Callable[[int, int], None]
"""Is told how many videos of how many were looked at."""


def write_report(
    dataset: str | Path,
    out: str | Path,
    *,
    media: Media = "none",
    videos: int = 200,
    clips: int = 200,
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> WrittenPage:
    """Write a report on a dataset: what every rule did, on which pictures, and how near to its limit.

    Args:
        dataset: made by `run` or `redecide`.
        out: the HTML file, which is replaced.
        media: `embed` puts clips and samples into the page as videos, up to 50 MB; `link` writes the clips into a
            folder beside the page.
        videos: most videos that are looked at tick by tick; of more, this many are drawn at random.
        clips: most clips that are shown, drawn likewise.
        seed: of the draws.
        on_progress: is called after each video.

    Raises:
        DatasetError: `dataset` is no dataset, or is damaged.
        ChangingDatasetError: a command has begun to remove what is read.
        UsageError: `out` does not end in .html, or the page would have more than 50 MB.
        MissingChartsError: the package plotly is not installed.
        OSError: the page cannot be written.
    """
    folder, page_path = location(dataset), html_path(out)
    with videos_beside(page_path, wanted=media == "link") as beside:
        page = in_one_state(
            folder,
            lambda counted: _report(read_reviewed(folder, counted), beside, media, videos, clips, seed, on_progress),
        )
        page, content = fitted_page(page_path, page)
    return written_page(page_path, page, content)


def write_label_sheet(
    dataset: str | Path,
    out: str | Path,
    *,
    n: int = 200,
    seed: int = 1,
    rules: Sequence[str] = (),
    media: Media = "none",
    videos: int = 500,
    on_progress: OnProgress | None = None,
) -> WrittenPage:
    """Write a page of stretches drawn at random for labelling, stratified by rule and distance to the limit.

    Args:
        dataset: made by `run` or `redecide`.
        out: the HTML file, which is replaced.
        n: number of stretches, up to 1,000.
        seed: of the draw; the same dataset and seed give the same stretches.
        rules: names of rules to which the draw is limited; none: all.
        media: `embed` puts the stretches into the page as videos with sound, where their sources are at hand.
        videos: most videos that are drawn from.
        on_progress: is called after each video.

    Raises:
        UsageError: `out` does not end in .html, a rule is unknown, or the page would be too large.
        DatasetError: `dataset` is no dataset, or is damaged.
        ChangingDatasetError: a command has begun to remove what is read.
        MissingChartsError, OSError: as of `write_report`.
    """
    folder, page_path = location(dataset), html_path(out)
    if n > _MOST_SAMPLES:
        raise UsageError(
            f"a sheet of {n:,} stretches is too large for a browser; draw {_MOST_SAMPLES:,} at most, and more on other "
            "sheets, each with another seed"
        )
    page = in_one_state(
        folder, lambda counted: _sheet(read_reviewed(folder, counted), n, seed, rules, media, videos, on_progress)
    )
    return written_page(page_path, *fitted_page(page_path, page))


def _report(
    reviewed: Reviewed,
    beside: Beside | None,
    media: Media,
    n_videos: int,
    n_clips: int,
    seed: int,
    on_progress: OnProgress | None,
) -> Page:
    chosen = chosen_videos(reviewed.rows, n_videos, seed)
    collected, measured = _collected(reviewed, chosen)
    strata = collected.strata()
    samples = [sample for one in strata for sample in nearest(one, _NEAREST)]
    room = Room(left=MOST_BYTES - _PAGE_BYTES)
    own_room = Room(left=room.left // 3) if media == "embed" else None
    videos, sample_cards = _video_cards(reviewed, measured, samples, on_progress, timelines=True, room=own_room)
    room.left -= sum(len(picture.image) for card in videos for picture in card.thumbnails)
    room.left -= sum(len(picture.image) for card in sample_cards for picture in card.pictures)
    room.left -= sum(len(card.media or "") for card in sample_cards)
    clip_cards = _clip_cards(reviewed, beside, media, n_clips, seed, room)
    cards = criterion_cards(strata, collected, sample_cards)
    speakers, n_speakers = speaker_rows(reviewed.clips)
    failures, n_failures = failure_rows(reviewed.rows)
    base = page_of(reviewed, "report", "nearest", cards)
    n_decided = sum(row.was_decided for row in reviewed.rows)
    notes = [
        *base.notes,
        *report_notes(reviewed, videos, n_decided, clip_cards, media, room, collected),
    ]
    return replace(
        base,
        notes=notes,
        funnel=funnel_of(reviewed.rows, reviewed.spans),
        videos=sorted(videos, key=lambda card: (card.source, card.path)),
        n_videos=n_decided,
        clips=clip_cards,
        n_clips=len(reviewed.clips),
        measures=[*clip_measures(reviewed.clips), *pose_measures(_poses(reviewed, seed))],
        speakers=speakers,
        n_speakers=n_speakers,
        failures=failures,
        n_failures=n_failures,
    )


def _sheet(
    reviewed: Reviewed,
    n: int,
    seed: int,
    rules: Sequence[str],
    media: Media,
    n_videos: int,
    on_progress: OnProgress | None,
) -> Page:
    known = [criterion.rule for criterion in reviewed.criteria]
    unknown = [rule for rule in rules if rule not in known]
    if unknown:
        raise UsageError(
            f"{reviewed.dataset.path} has no rule {unknown[0]!r}; its rules are {', '.join(dict.fromkeys(known))}"
        )
    chosen = chosen_videos(reviewed.rows, n_videos, seed)
    collected, measured = _collected(reviewed, chosen)
    strata = [one for one in collected.strata() if not rules or one.criterion.rule in rules]
    samples = drawn(strata, n, seed)
    room = Room(left=MOST_BYTES - _PAGE_BYTES - len(samples) * _PICTURE_BYTES) if media != "none" else None
    _, sample_cards = _video_cards(reviewed, measured, samples, on_progress, timelines=False, room=room)
    cards = criterion_cards(strata, collected, sample_cards)
    page = page_of(reviewed, "labels", "random", cards)
    notes = [*page.notes, *coverage_notes(len(chosen), sum(row.was_decided for row in reviewed.rows), "Drawn from")]
    if not samples:
        notes.append("There is nothing to label: no rule kept or dropped a stretch of these videos.")
    elif len(samples) < n:
        notes.append(f"{count_text(len(samples), 'sample')}, not the {n:,} asked for: there are no more stretches.")
    elif without := sum(bool(card.strata) and not card.samples for card in cards):
        notes.append(
            f"No sample is drawn for {without:,} of {count_text(len(cards), 'limit')}: give a larger --n, or name the "
            "rules that you are interested in with --rule."
        )
    if room is not None and room.refused:
        refused = count_text(room.refused, "sample")
        notes.append(f"In a page of 50 MB there is no room for {refused} as a video: pictures are shown instead.")
    return replace(page, notes=notes)


def _collected(reviewed: Reviewed, chosen: Sequence[VideoRow]) -> tuple[Collected, list[MeasuredVideo]]:
    collected, measured = Collected(reviewed.criteria), []
    for video in measured_videos(reviewed.dataset.path, reviewed.settings, chosen, reviewed.spans):
        collected.add(video)
        measured.append(video)
    return collected, measured


def _video_cards(
    reviewed: Reviewed,
    measured: Sequence[MeasuredVideo],
    samples: Sequence[Sample],
    on_progress: OnProgress | None,
    *,
    timelines: bool,
    room: Room | None,
) -> tuple[list[VideoCard], list[SampleCard]]:
    of_video: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        of_video[sample.stretch.video_id].append(sample)
    at_most = {criterion.rule: criterion.at_most for criterion in reviewed.criteria}
    videos, cards = [], []
    for number, video in enumerate(measured, start=1):
        own = of_video[video.row.video_id]
        if timelines or own:
            card, sample_cards = video_and_samples(
                reviewed.dataset, video, own, reviewed.settings, timeline=timelines, at_most=at_most, room=room
            )
            videos += [] if card is None else [card]
            cards += sample_cards
        if on_progress is not None:
            on_progress(number, len(measured))
    return videos, cards


def _clip_cards(
    reviewed: Reviewed, beside: Beside | None, media: Media, n_clips: int, seed: int, room: Room
) -> list[ClipCard]:
    chosen = _drawn_rows(len(reviewed.clips), n_clips, seed)
    rows: list[Mapping[str, object]] = reviewed.clips.take(pa.array(chosen, pa.int64())).to_pylist()
    rows.sort(key=lambda row: (str(row["path"]), float(str(row["start_s"]))))
    if beside is not None:
        shutil.rmtree(beside.written, ignore_errors=True)  # of a state that has changed since
        beside.written.mkdir()
    return [clip_card(reviewed.dataset, row, media, room, beside) for row in rows]


def _drawn_rows(n_rows: int, n: int, seed: int) -> list[int]:
    order = np.random.default_rng(seed).permutation(n_rows)
    return sorted(int(number) for number in order[:n])


def _poses(reviewed: Reviewed, seed: int) -> dict[str, list[Float64Array]]:
    poses: dict[str, list[Float64Array]] = defaultdict(list)
    for number in _drawn_rows(len(reviewed.clips), _MOST_POSES, seed):
        try:
            clip = reviewed.dataset.clip(str(reviewed.clips["clip_id"][number].as_py()))
            poses[str(clip.row["tier"])].append(clip.pose().astype(np.float64))
        except GaiaError:
            continue
    return poses
