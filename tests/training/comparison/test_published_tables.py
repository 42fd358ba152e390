from pathlib import Path
from typing import get_args

import pytest

from training.comparison.published_tables import published_table
from training.comparison.table_columns import COLUMNS, TABLES, TableName


@pytest.mark.parametrize("name", get_args(TableName))
def test_the_papers_columns_come_first_in_its_order(name: TableName) -> None:
    assert published_table(name).columns == TABLES[name].paper
    assert set(TABLES[name].all) <= set(COLUMNS)
    assert all(len(row.figures) == len(TABLES[name].paper) for row in published_table(name).rows)


def test_every_figure_is_one_that_the_paper_prints(shared_dir: Path) -> None:
    lines = (shared_dir / "PAPER.md").read_text(encoding="utf-8").splitlines()
    for name in get_args(TableName):
        for row in published_table(name).rows:
            if row.system == "real video":
                assert any("Sync-D score for real video is 8.548" in line for line in lines)
                continue
            wanted = " ".join(f"{figure:.3f}" for figure in row.figures)
            start = "GAIA (Ours)" if row.system == "GAIA" else row.system
            printed = [" ".join(line.replace("^\\dagger", "").replace("$", "").split()) for line in lines]
            assert any(line.startswith(start) and wanted in line for line in printed), (row.system, wanted)
