"""Cards of a page: videos with timelines, limits with samples and their pictures, clips with contact sheets."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from curation.review.measured_videos import MeasuredVideo
from curation.review.overview import video_name
from curation.review.page_data import ClipCard, CriterionCard, SampleCard, SpanCell, Thumbnail, VideoCard
from curation.review.playable import clip_video, source_video, video_address
from curation.review.reviewed import Collected
from curation.review.sampling import Sample, Strata
from curation.review.thumbnails import jpeg_address, missing_source, pictures_of
from curation.review.written_page import Beside
from curation.settings import CurationSettings
from foundation.array_types import Float32Array
from foundation.errors import GaiaError
from foundation.text import shown
from manifests.dataset import Dataset
from manifests.timeline import TICK_RATE_HZ, seconds_of_tick
from manifests.vocabulary import TIERS

__all__ = ["Media", "Room", "clip_card", "criterion_cards", "sample_ticks", "video_and_samples"]

Media = Literal["none", "embed", "link"]

_THUMBNAILS, _THUMBNAIL_PX, _SAMPLE_PX = 6, 84, 168

_SHEET_FRAMES, _SHEET_PX = 5, 132

_PARTS = 240
"""Most values of a rule along a timeline."""


@dataclass(kw_only=True, slots=True)
class Room:
    """Bytes that a page may still take."""

    left: int
    refused: int = 0
    """Videos that did not find room."""
    shown: int = field(default=0)
    """Videos that did."""

    def takes(self, address: str) -> bool:
        """Return whether a video finds room, and count it."""
        if len(address) > self.left:
            self.refused += 1
            return False
        self.left -= len(address)
        self.shown += 1
        return True


def sample_ticks(sample: Sample) -> list[int]:
    """Return the ticks of a stretch of which pictures are shown: its start, its worst tick, its end."""
    first, end = sample.stretch.ticks
    inset = min(5, (end - first) // 4)
    return sorted({first + inset, sample.stretch.worst_tick, end - 1 - inset})


def video_and_samples(
    dataset: Dataset,
    video: MeasuredVideo,
    samples: Sequence[Sample],
    settings: CurationSettings,
    *,
    timeline: bool,
    at_most: Mapping[str, bool],
    room: Room | None,
) -> tuple[VideoCard | None, list[SampleCard]]:
    """Return the card of a video and those of its samples, whose pictures are decoded in one pass.

    Args:
        dataset: that has its clips.
        video: the video.
        samples: of the video.
        settings: of the dataset.
        timeline: whether the card of the video is wanted.
        at_most: by rule, whether large values are the bad ones.
        room: for videos of the samples; None: they are not wanted.
    """
    heights: dict[int, int] = {}
    marks: list[int] = []
    if timeline and video.row.n_ticks:
        marks = sorted({int((i + 0.5) * video.row.n_ticks / _THUMBNAILS) for i in range(_THUMBNAILS)})
        heights |= dict.fromkeys(marks, _THUMBNAIL_PX)
    heights |= dict.fromkeys((tick for sample in samples for tick in sample_ticks(sample)), _SAMPLE_PX)
    pictures: dict[int, str] = {}
    gone = missing = missing_source(video.row) if heights else None
    if heights:
        pictures, missing = pictures_of(dataset, video, heights, settings.media, gone)
    own_room = None if gone else room
    cards = [_sample_card(video, sample, pictures, missing, settings, own_room) for sample in samples]
    if not timeline:
        return None, cards
    return _video_card(video, _values(video, at_most), _thumbnails(pictures, marks), missing), cards


def _thumbnails(pictures: Mapping[int, str], ticks: Iterable[int]) -> list[Thumbnail]:
    return [Thumbnail(time_s=seconds_of_tick(tick), image=pictures[tick]) for tick in sorted(ticks) if tick in pictures]


def _sample_card(
    video: MeasuredVideo,
    sample: Sample,
    pictures: Mapping[int, str],
    missing: str | None,
    settings: CurationSettings,
    room: Room | None,
) -> SampleCard:
    stretch = sample.stretch
    shown_pictures = _thumbnails(pictures, sample_ticks(sample))
    media = None
    if room is not None and room.refused:
        room.refused += 1  # the page is full: no more is encoded
    elif room is not None:
        try:
            address = video_address(source_video(video.row.path, video.row.audio_track, stretch.ticks, settings.media))
            media = address if room.takes(address) else None
        except (GaiaError, OSError):
            media = None
    return SampleCard(
        criterion=stretch.criterion,
        video_id=stretch.video_id,
        name=video_name(video.row.path),
        start_s=seconds_of_tick(stretch.ticks[0]),
        end_s=seconds_of_tick(stretch.ticks[1]),
        value=stretch.value,
        limit=stretch.limit,
        dropped=stretch.dropped,
        coarse=stretch.on_grid,
        stratum=sample.stratum,
        pictures=shown_pictures,
        missing=None if shown_pictures else missing or "the video holds no picture here",
        media=media,
    )


def _video_card(
    video: MeasuredVideo, values: dict[str, list[float | None]], thumbnails: list[Thumbnail], missing: str | None
) -> VideoCard:
    row = video.row
    return VideoCard(
        video_id=row.video_id,
        name=video_name(row.path),
        path=shown(row.path),
        source=shown(row.source),
        speaker=None if row.speaker_id is None else shown(row.speaker_id),
        duration_s=row.duration_s or 0.0,
        kept_s={"diffusion": row.kept_diffusion_s, "vae": row.kept_vae_s},
        n_clips=row.n_clips,
        unmeasured_s=seconds_of_tick(video.unmeasured),
        spans={
            tier: [
                SpanCell(
                    start_s=seconds_of_tick(span.ticks[0]),
                    end_s=seconds_of_tick(span.ticks[1]),
                    outcome=span.outcome,
                    value=span.value,
                    limit=span.limit,
                    failed=list(span.failed),
                    coarse=span.on_grid,
                )
                for span in video.spans[tier]
            ]
            for tier in TIERS
        },
        values=values,
        thumbnails=thumbnails,
        missing=missing,
    )


def _values(video: MeasuredVideo, at_most: Mapping[str, bool]) -> dict[str, list[float | None]]:
    values: dict[str, list[float | None]] = {}
    for (rule, _), verdict in video.verdicts.items():
        if rule != "too_short" and rule not in values and np.isfinite(verdict.value).any():
            values[rule] = _worst_of_parts(verdict.value, at_most=at_most[rule])
    return values


def _worst_of_parts(value: Float32Array, *, at_most: bool) -> list[float | None]:
    worst: list[float | None] = []
    for part in np.array_split(value, min(_PARTS, len(value))):
        known = part[np.isfinite(part)]
        worst.append(float(f"{known.max() if at_most else known.min():.4g}") if len(known) else None)
    return worst


def clip_card(dataset: Dataset, row: Mapping[str, object], media: Media, room: Room, beside: Beside | None) -> ClipCard:
    """Return the card of a clip.

    Args:
        dataset: that has the clip.
        row: scalar columns of the table `clips`.
        media: whether the clip can be played on the page.
        room: for its video, where it is embedded.
        beside: for its video, where it is linked.
    """
    from PIL import Image

    clip_id = str(row["clip_id"])
    sheet, address = None, None
    try:
        clip = dataset.clip(clip_id)
        drawn = clip.contact_sheet(every=max(1, -(-len(clip) // _SHEET_FRAMES)), n_columns=_SHEET_FRAMES)
        scale = _SHEET_PX / drawn.height
        sheet = jpeg_address(drawn.resize((round(drawn.width * scale), _SHEET_PX), Image.Resampling.LANCZOS))
        room.left -= len(sheet)
        if media == "embed" and room.left > 0:
            embedded = video_address(clip_video(clip))
            address = embedded if room.takes(embedded) else None
        elif media == "embed":
            room.refused += 1
        elif media == "link" and beside is not None:
            (beside.written / f"{clip_id}.mp4").write_bytes(clip_video(clip))
            address = f"{beside.name}/{clip_id}.mp4"
            room.shown += 1
    except (GaiaError, OSError):
        pass
    return ClipCard(
        clip_id=clip_id,
        name=video_name(str(row["path"])),
        source=shown(str(row["source"])),
        speaker=_text(row["person_id"] or row["speaker_id"]),
        tier=str(row["tier"]),
        split=str(row["split"]),
        start_s=float(str(row["start_s"])),
        duration_s=int(str(row["n_frames"])) / float(TICK_RATE_HZ),
        snr_db=_number(row["snr_db"]),
        loudness_lufs=_number(row["loudness_lufs_before"]),
        sync=_text(row["sync"]),
        sheet=sheet,
        media=address,
    )


def _text(value: object) -> str | None:
    return None if value is None else shown(str(value))


def _number(value: object) -> float | None:
    return None if value is None else round(float(str(value)), 2)


def criterion_cards(
    strata: Sequence[Strata], collected: Collected, samples: Sequence[SampleCard]
) -> list[CriterionCard]:
    """Return the cards of the rules' limits, each with its samples, dropped ones and those near the limit first.

    Args:
        strata: of the stretches of each limit.
        collected: the values of all videos.
        samples: of all limits.
    """
    cards = []
    for one in strata:
        criterion = one.criterion
        own = [card for card in samples if card.criterion == criterion.key]
        own.sort(
            key=lambda card: (not card.dropped, abs((card.value or 0.0) - card.limit), card.video_id, card.start_s)
        )
        cards.append(
            CriterionCard(
                key=criterion.key,
                rule=criterion.rule,
                tier=criterion.tier,
                setting=criterion.setting,
                limit=criterion.limit,
                words=criterion.words,
                unit=criterion.unit,
                at_most=criterion.at_most,
                boundary=criterion.boundary,
                own=criterion.own,
                strata=one.population,
                histogram=collected.values.histogram(criterion),
                samples=own,
            )
        )
    return cards
