"""What other limits would keep, and differences, of a dataset in a store."""

from pathlib import Path

import curation


def test_a_dataset_in_a_store_answers_as_the_same_one_on_disk(copied: Path, curated_sample: Path) -> None:
    there, here = (curation.vary(str(one), ["rules.frontal.strict_deg=10,35"]) for one in (copied, curated_sample))
    assert there.points == here.points
    assert curation.compare(str(copied), curated_sample).equal
