"""What a page holds, as the scripts in `curation/review/page` read it from its JSON: times in seconds."""

from dataclasses import dataclass, field

from curation.review.distributions import Histogram

__all__ = [
    "ClipCard",
    "CriterionCard",
    "FailureRow",
    "MeasureCard",
    "Page",
    "SampleCard",
    "SpanCell",
    "SpeakerRow",
    "Thumbnail",
    "VideoCard",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Thumbnail:
    """Picture of a video at a time."""

    time_s: float
    image: str
    """Address of a JPEG, with its content."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleCard:
    """Stretch to be judged by a person."""

    criterion: str
    video_id: str
    name: str
    """File name of the video."""
    start_s: float
    end_s: float
    value: float | None
    limit: float
    dropped: bool
    coarse: bool
    """Whether its borders are known to 0.2 s only."""
    stratum: str
    pictures: list[Thumbnail]
    missing: str | None
    """Why there are no pictures; None where there are."""
    media: str | None = None
    """Address of a video with sound; None without one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CriterionCard:
    """Limit under review."""

    key: str
    rule: str
    tier: str
    setting: str | None
    limit: float | None
    words: str
    unit: str
    at_most: bool
    boundary: bool
    own: bool
    strata: dict[str, int]
    """Number of stretches in each stratum, over the videos that were looked at."""
    histogram: Histogram | None
    samples: list[SampleCard]


@dataclass(frozen=True, kw_only=True, slots=True)
class SpanCell:
    """Piece of a timeline."""

    start_s: float
    end_s: float
    outcome: str
    value: float | None
    limit: float | None
    failed: list[str]
    coarse: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoCard:
    """Video with its timelines."""

    video_id: str
    name: str
    path: str
    source: str
    speaker: str | None
    duration_s: float
    kept_s: dict[str, float]
    """By tier."""
    n_clips: int
    unmeasured_s: float
    """Time in which no face was looked for, because no clip could lie there."""
    spans: dict[str, list[SpanCell]]
    """By tier."""
    values: dict[str, list[float | None]]
    """By rule, the worst value of each of up to 240 equal parts of the video; None where nothing was measured."""
    thumbnails: list[Thumbnail]
    missing: str | None
    """Why there are no pictures of dropped stretches; None where there are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipCard:
    """Kept clip."""

    clip_id: str
    name: str
    source: str
    speaker: str | None
    tier: str
    split: str
    start_s: float
    duration_s: float
    snr_db: float | None
    loudness_lufs: float | None
    """Of the source."""
    sync: str | None
    sheet: str | None
    """Address of a JPEG, with its content; None where the media are missing."""
    media: str | None
    """Address of the clip as a video with sound; None without one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasureCard:
    """Distribution of a measure over clips, by tier."""

    title: str
    unit: str
    edges: list[float]
    counts: dict[str, list[int]]
    """By tier, number in each bin."""
    missing: int
    """Clips in which it was not measured."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SpeakerRow:
    """Person with what is kept of them."""

    name: str
    source: str
    clips: int
    kept_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class FailureRow:
    """Video that was not curated."""

    name: str
    source: str
    status: str
    code: str
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """All that a page shows."""

    kind: str
    """`report`, or `labels`: samples alone."""
    dataset: str
    """Name of the dataset."""
    identity: str
    """Digest of the limits that its stretches were decided by, which labels repeat."""
    draw: str
    """`nearest` to the limits, or `random` within strata."""
    made_by: str
    facts: dict[str, str]
    """Figures at the top of the page, in words."""
    notes: list[str]
    """Sentences on what the page does not show, and why."""
    tiers: list[str]
    outcomes: list[str]
    """In the order in which they are decided."""
    funnel: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    """By tier and source, seconds of each outcome."""
    criteria: list[CriterionCard] = field(default_factory=list)
    videos: list[VideoCard] = field(default_factory=list)
    n_videos: int = 0
    """Decided videos of the dataset, of which `videos` may be a sample."""
    clips: list[ClipCard] = field(default_factory=list)
    n_clips: int = 0
    measures: list[MeasureCard] = field(default_factory=list)
    speakers: list[SpeakerRow] = field(default_factory=list)
    n_speakers: int = 0
    failures: list[FailureRow] = field(default_factory=list)
    n_failures: int = 0
