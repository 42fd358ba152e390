"""The tools of a dataset on an S3 server: its card, and a subset from one address to another."""

from pathlib import Path

import pytest

from curation.dataset_tools.describe import write_card
from curation.dataset_tools.subset import subset
from manifests.card.own_files import CardFileError
from manifests.dataset import Dataset
from manifests.reports.validate import validate


@pytest.mark.slow
def test_a_dataset_in_a_store_has_a_card_and_a_subset(copied: Path) -> None:
    out = copied.parent / "chosen"
    chosen = subset(str(copied), "tier = 'diffusion'", str(out))
    assert len(Dataset(out).clips()) == chosen.clips > 0
    assert validate(out) == []
    write_card(out)
    assert (out / "README.md").read_text(encoding="utf-8").startswith("---\nlicense: unknown\n")
    (out / "README.md").write_text("mine")
    with pytest.raises(CardFileError, match=r"README\.md was not written by"):
        write_card(str(out))
