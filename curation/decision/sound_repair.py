"""Repair of late or early sound: by how much the sound of a clip is moved before it is cut."""

from curation.rules.sync import SyncSettings, VideoSync
from manifests.timeline import SAMPLES_PER_TICK, TickRange

__all__ = ["sound_lag"]


def sound_lag(sync: VideoSync, ticks: TickRange, settings: SyncSettings) -> int:
    """Return by how many samples of 16 kHz the sound of a clip is late and is to be moved; 0: it stays.

    One file has one offset as a rule, so that all of its clips are moved by it, of either tier. A stretch that is in
    sync at another offset, as in a film of several recordings, contradicts it and stays as it is.

    Args:
        sync: of the video.
        ticks: of the clip.
        settings: whether to repair, and what is sure.
    """
    curve = sync.curve
    if settings.repair == "off" or curve is None or curve.z < settings.repair_z or curve.n_ticks < settings.sure_ticks:
        return 0
    offset = curve.offset_ticks
    if not settings.min_repair_ticks <= abs(offset) <= settings.max_repair_ticks:
        return 0
    for stretch in sync.stretches:
        overlaps = stretch.ticks[0] < ticks[1] and ticks[0] < stretch.ticks[1]
        if not overlaps or stretch.curve is None or stretch.curve.z < settings.in_sync_z:
            continue
        if abs(stretch.curve.offset_ticks - offset) > settings.same_offset_ticks:
            return 0
    return round(offset * SAMPLES_PER_TICK)
