"""The head of a page: its figures in words, and notes on what it does not show."""

from collections.abc import Sequence

from curation.review.cards import Media, Room
from curation.review.page_data import ClipCard, CriterionCard, Page, VideoCard
from curation.review.reviewed import Collected, Reviewed
from foundation.text import count_text, shown, time_unit

__all__ = ["coverage_notes", "page_of", "report_notes"]


def page_of(reviewed: Reviewed, kind: str, draw: str, criteria: list[CriterionCard]) -> Page:
    """Return a page with its head and its criteria.

    Args:
        reviewed: the dataset.
        kind: `report` or `labels`.
        draw: how its samples were chosen.
        criteria: their cards.
    """
    record = reviewed.dataset.record
    raw_s = sum(row.duration_s or 0.0 for row in reviewed.rows if row.duplicate_of is None)
    unit = time_unit(raw_s)
    originals = [row for row in reviewed.rows if row.duplicate_of is None]
    facts = {"videos": f"{len(reviewed.rows):,}", "raw": f"{unit.text(raw_s)} {unit.name}"}
    kept = {"diffusion": sum(r.kept_diffusion_s for r in originals), "vae": sum(r.kept_vae_s for r in originals)}
    facts |= {f"kept in tier {tier}": f"{unit.text(kept[tier])} {unit.name}" for tier in reviewed.settings.tiers}
    facts |= {"clips": f"{len(reviewed.clips):,}", "not curated": f"{sum(r.status != 'ok' for r in reviewed.rows):,}"}
    return Page(
        kind=kind,
        dataset=shown(reviewed.dataset.path.name or str(reviewed.dataset.path)),
        identity=reviewed.identity,
        draw=draw,
        made_by=f"{record.software} {record.software_version}, preset {record.preset}",
        facts=facts,
        notes=[] if reviewed.rows else ["The dataset has no videos: no run has ended yet."],
        tiers=list(reviewed.settings.tiers),
        outcomes=list(record.outcomes),
        criteria=criteria,
    )


def coverage_notes(n_chosen: int, n_decided: int, words: str) -> list[str]:
    """Return a note on the videos that were looked at, where they are not all.

    Args:
        n_chosen: videos that were.
        n_decided: videos that could be.
        words: beginning of the sentence.
    """
    if n_chosen == n_decided:
        return []
    return [f"{words} {n_chosen:,} of {count_text(n_decided, 'video')}, chosen at random."]


def report_notes(
    reviewed: Reviewed,
    videos: Sequence[VideoCard],
    n_decided: int,
    clips: Sequence[ClipCard],
    media: Media,
    room: Room,
    collected: Collected,
) -> list[str]:
    """Return notes on what a report does not show, and why.

    Args:
        reviewed: the dataset.
        videos: cards of those that were looked at.
        n_decided: videos that could be.
        clips: cards of those that are shown.
        media: how they can be played.
        room: for those that are embedded.
        collected: what was measured.
    """
    notes = coverage_notes(len(videos), n_decided, "Timelines, distributions and samples are of")
    missing = [card for card in videos if card.missing is not None]
    if missing:
        notes.append(
            f"No pictures of the dropped stretches of {count_text(len(missing), 'video')}: "
            f"{'; '.join(sorted({str(card.missing) for card in missing}))}."
        )
    if not len(reviewed.clips):
        notes.append("The dataset has no clips.")
    elif len(clips) < len(reviewed.clips):
        notes.append(f"{len(clips):,} of {count_text(len(reviewed.clips), 'clip')} are shown, chosen at random.")
    if lost := sum(card.sheet is None for card in clips):
        without = count_text(lost, "clip has", "clips have")
        notes.append(f"{without} no picture: the dataset lacks the media, or they are damaged.")
    if media == "embed" and room.refused:
        played = count_text(room.shown, "clip")
        notes.append(f"{played} can be played; there is no room for {room.refused:,} more in 50 MB.")
    unmeasured_s = sum(card.unmeasured_s for card in videos)
    if unmeasured_s:
        unit = time_unit(unmeasured_s)
        notes.append(
            f"In {unit.text(unmeasured_s)} {unit.name} of these videos faces were looked for on a part of the ticks "
            "only, because no clip could lie there: the borders of such stretches are known to 0.2 s."
        )
    if collected.undecided:
        notes.append(
            f"Values of {count_text(collected.undecided, 'video')} are not known without the rules of your own."
        )
    return notes
