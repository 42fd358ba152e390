"""What a new decision on a dataset changes: settings that may differ, and what they ask for that was not measured."""

from curation.decision.grid import UnmeasuredError, unmeasured_ticks
from curation.output.folder import DatasetFolder
from curation.output.frame_rows import GRID_COLUMNS, grid_evidence
from curation.settings import CurationSettings
from foundation.text import count_text, shown, text_table
from manifests.packing.packed_files import sources_of, table_inventory
from manifests.packing.rows import VideoRows
from manifests.packing.unmeasured import unmeasured_ticks_of
from manifests.schema.frames import FRAMES
from manifests.timeline import TICK_RATE_HZ

__all__ = ["PICTURES", "SOUND", "TRACKING", "UnmeasuredVideosError", "require_measured", "require_tags"]

TRACKING = (
    "rules.tracks.", "rules.speaker.", "rules.no_face.", "rules.cut.", "rules.several_faces.min_score",
    "rules.silence.", "rules.still_face.",
)  # fmt: skip
"""Settings that choose the main face: only they change the table `frames`."""

PICTURES = (*TRACKING, "crop.", "media.")
"""Settings that the pictures of a clip depend on, apart from its ticks."""

SOUND = (*PICTURES, "speech.", "rules.silence.min_speech_prob")
"""Settings that the sound of a clip depends on, apart from its ticks, its tier, and by how much it is moved."""


class UnmeasuredVideosError(UnmeasuredError):
    """Videos of a dataset have to be measured further; the message lists them."""

    several_lines = True


def require_tags(origin: DatasetFolder, settings: CurationSettings) -> None:
    """Refuse to drop generated videos where the tags of some files were not read.

    Args:
        origin: the dataset.
        settings: of the new decision.

    Raises:
        UnmeasuredVideosError: there are such videos; the message lists them.
        DatasetError: a file is damaged.
        OSError: a file cannot be read.
    """
    if settings.rules.generated.drop == "nothing":
        return
    untold = [row.path for row in origin.rows() if row.duration_s and row.generated_tags is None]
    if untold:
        raise UnmeasuredVideosError(
            f"{shown(str(origin.path))}: rules.generated.drop={settings.rules.generated.drop} goes by the tags of the "
            f"files, which were not read of {count_text(len(untold), 'video')} that an earlier version curated; curate "
            "them into a new dataset, or leave the setting as it is\n" + "\n".join(map(shown, untold))
        )


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
            f"{count_text(len(missing), 'video')}; `gaia-curate run` into this dataset, with its settings and --set "
            "analysis.every_tick=true, measures them, so that the same command can decide\n"
            + text_table(["not measured", "video"], listed, numeric=[True, False])
        )
