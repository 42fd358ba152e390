"""Files of tests that take longest, in the order in which several test processes begin them.

A file is run by one process. So one that takes minutes must not be the last to begin, while the others have nothing
left to do. The order of files that are not listed is that of their collection; it makes no difference.
"""

from collections.abc import Sequence

import pytest

__all__ = ["LONGEST_FIRST", "longest_first"]

LONGEST_FIRST = (
    "tests/hostile/test_hostile.py",
    "tests/reliability/test_endings.py",
    "tests/curation/engine/test_ray_pool.py",
    "tests/reliability/test_two_commands.py",
    "tests/training/loop/test_resume.py",
    "tests/curation/operations/test_raise_points.py",
    "tests/training/cli/test_diffusion.py",
    "tests/docs/test_pages.py",
    "tests/curation/operations/test_real_clips.py",
    "tests/reliability/test_kills.py",
    "tests/generation/test_experiments.py",
    "tests/curation/perception/masks/embedded/test_real_people.py",
    "tests/curation/perception/masks/embedded/test_held_out_people.py",
    "tests/reliability/test_fuzz.py",
    "tests/foundation/test_signals.py",
    "tests/training/vae/test_vae_on_faces.py",
    "tests/storage/test_storage_run.py",
    "tests/mutation/test_mutations.py",
    "tests/curation/operations/test_paper_preset_real.py",
    "tests/reliability/test_guilty_videos.py",
    "tests/training/test_clip_sizes.py",
    "tests/models/motion/test_diffusion.py",
    "tests/storage/test_storage_readers.py",
    "tests/curation/operations/test_bad_input.py",
    "tests/curation/operations/test_plan.py",
    "tests/examples/test_end_to_end.py",
    "tests/manifests/packing/test_pack.py",
    "tests/models/motion/test_motion_training.py",
    "tests/training/cli/test_torchrun.py",
    "tests/training/loop/test_compilation.py",
    "tests/curation/operations/test_forget.py",
    "tests/curation/operations/test_disk_full.py",
    "tests/curation/operations/test_own_rules.py",
    "tests/curation/operations/test_run.py",
    "tests/generation/test_talking_video.py",
    "tests/training/diffusion/test_diffusion_learns.py",
    "tests/storage/test_storage_cluster.py",
    "tests/reliability/test_claiming_headers.py",
    "tests/packaging/test_wheel.py",
)
"""Those of more than about a quarter of a minute, the longest first."""

_PLACES = {name: place for place, name in enumerate(LONGEST_FIRST)}


def longest_first(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return the tests with those of the longest files in front; within a file they keep their order."""
    return sorted(items, key=lambda item: _PLACES.get(item.nodeid.partition("::")[0], len(_PLACES)))
