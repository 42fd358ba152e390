"""What a new decision on a dataset changes: settings that may differ, and what they ask for that was not measured."""

from pathlib import Path

from curation.decision.grid import UnmeasuredError, unmeasured_ticks
from curation.output.folder import DatasetFolder
from curation.output.frame_rows import GRID_COLUMNS, grid_evidence
from curation.settings import CurationSettings, SettingsError, differences, load_settings
from foundation.settings import Overrides
from foundation.text import shown, text_table
from manifests.packing.packed_files import sources_of, table_inventory
from manifests.packing.rows import VideoRows
from manifests.packing.unmeasured import unmeasured_ticks_of
from manifests.schema.frames import FRAMES
from manifests.timeline import TICK_RATE_HZ

__all__ = ["PICTURES", "SOUND", "TRACKING", "UnmeasuredVideosError", "new_settings", "require_measured"]

TRACKING = (
    "rules.tracks.", "rules.speaker.", "rules.no_face.", "rules.cut.", "rules.several_faces.min_score",
    "rules.silence.", "rules.still_face.",
)  # fmt: skip
"""Settings that choose the main face: only they change the table `frames`."""

PICTURES = (*TRACKING, "crop.", "media.")
"""Settings that the pictures of a clip depend on, apart from its ticks."""

SOUND = (*PICTURES, "speech.", "rules.silence.min_speech_prob")
"""Settings that the sound of a clip depends on, apart from its ticks, its tier, and by how much it is moved."""

_BY_DESCRIPTORS = ("rules.tracks.max_", "privacy.keep_descriptors")
"""Settings that need descriptors."""

_MEASURED = ("preset", "perception.", "media.audio_track", "analysis.")
"""Settings that the evidence depends on: to change them is to measure again."""


class UnmeasuredVideosError(UnmeasuredError):
    """Videos of a dataset have to be measured further; the message lists them."""

    several_lines = True


def new_settings(
    origin: DatasetFolder, file: str | Path | None, overrides: Overrides
) -> tuple[CurationSettings, list[str]]:
    """Return the settings of a dataset with changes, and a line for each that differs.

    Raises:
        SettingsError: a wrong setting, or one that needs measuring anew.
        DatasetFolderError: the settings of the dataset are not those of this version.
    """
    before = origin.settings
    settings = load_settings(before, file, overrides)
    changed = differences(settings, before)
    measured = [line for line in changed if line.startswith(_MEASURED)]
    if measured:
        raise SettingsError(f"{'; '.join(measured)}: the evidence was measured otherwise; `gaia-curate run` anew")
    if not before.privacy.keep_descriptors:
        lost = [line for line in changed if line.startswith(_BY_DESCRIPTORS)]
        if lost:
            raise SettingsError(
                f"{'; '.join(lost)}: {origin.path} keeps no descriptors (privacy.keep_descriptors=false), so that "
                "people can be told apart only as before; leave the setting, or `gaia-curate run` anew"
            )
    return settings, changed


def require_measured(origin: DatasetFolder, settings: CurationSettings) -> None:
    """Refuse settings under which a clip could lie on ticks that were not measured.

    Args:
        origin: the dataset.
        settings: of the new decision.

    Raises:
        UnmeasuredVideosError: it could; the message lists the videos, and says how they are measured further.
        DatasetError: a file is damaged.
        OSError: a file cannot be read.
    """
    before, face_ratio = origin.settings, settings.crop.face_ratio
    if (settings.rules, settings.tiers, face_ratio) == (before.rules, before.tiers, before.crop.face_ratio):
        return
    coarse = unmeasured_ticks_of(origin.path)
    missing: list[tuple[int, str]] = []
    with VideoRows(FRAMES, sources_of(table_inventory(origin.path, FRAMES)), GRID_COLUMNS) as rows:
        for row in origin.rows():
            if row.status == "ok" and row.duplicate_of is None and row.video_id in coarse:
                n_ticks = round((row.duration_s or 0.0) * TICK_RATE_HZ)
                seen = grid_evidence(rows.table_of(row.video_id), n_ticks)
                if n_missing := unmeasured_ticks(seen, settings.rules, settings.tiers, face_ratio):
                    missing.append((n_missing, row.path))
    if missing:
        listed = [[f"{n / float(TICK_RATE_HZ):.1f} s", shown(path)] for n, path in sorted(missing, reverse=True)]
        raise UnmeasuredVideosError(
            f"{shown(str(origin.path))}: under these settings a clip could lie on ticks that were not measured, of "
            f"{len(missing)} videos; `gaia-curate run` into this dataset, with its settings and --set "
            "analysis.every_tick=true, measures them, so that the same command can decide\n"
            + text_table(["not measured", "video"], listed, numeric=[True, False])
        )
