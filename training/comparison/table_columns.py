"""Columns of the tables of results, and which of them each table has (Tables 2, 3, 7 and 8)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["COLUMNS", "TABLES", "Better", "Column", "TableColumns", "TableName"]

TableName = Literal["reconstruction", "reenactment", "speech"]
"""Self-reconstruction and cross-reenactment (Tables 2 and 7); speech-driven results (Tables 3 and 8)."""

Better = Literal["higher", "lower", "as the truth"]

Part = Literal["pictures", "lpips_alex", "fid", "landmarks", "points68", "dlib", "arcface", "pose", "sync"]
"""What a column is computed from: pictures, the features of a network, or what is known of the faces."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column of a table."""

    key: str
    """Name in files."""
    heading: str
    better: Better
    decimals: int
    part: Part
    """What it is computed from; without it the column has no figures."""

    @property
    def arrow(self) -> str:
        """Which figures are better, as the paper marks it; none where the truth is the aim."""
        return {"higher": "↑", "lower": "↓"}.get(self.better, "")


@dataclass(frozen=True, kw_only=True, slots=True)
class TableColumns:
    """Columns of a table, by their keys."""

    paper: tuple[str, ...]
    """Those of the paper's table, in its order."""
    further: tuple[str, ...]
    """Those that other publications report."""

    @property
    def all(self) -> tuple[str, ...]:
        """The paper's first."""
        return self.paper + self.further


COLUMNS: Mapping[str, Column] = {
    column.key: column
    for column in (
        Column(key="fid", heading="FID", better="lower", decimals=3, part="fid"),
        Column(key="lpips", heading="LPIPS", better="lower", decimals=3, part="lpips_alex"),
        Column(key="psnr", heading="PSNR", better="higher", decimals=3, part="pictures"),
        Column(key="akd", heading="AKD", better="lower", decimals=3, part="landmarks"),
        Column(key="msi", heading="MSI", better="higher", decimals=3, part="landmarks"),
        Column(key="sync_d", heading="Sync-D", better="lower", decimals=3, part="sync"),
        Column(key="sync_c", heading="Sync-C", better="higher", decimals=3, part="sync"),
        Column(key="sync_offset", heading="|offset|", better="lower", decimals=2, part="sync"),
        Column(key="ssim", heading="SSIM", better="higher", decimals=3, part="pictures"),
        Column(key="akd68", heading="AKD-68", better="lower", decimals=3, part="points68"),
        Column(key="lmd", heading="LMD", better="lower", decimals=3, part="landmarks"),
        Column(key="lmd68", heading="LMD-68", better="lower", decimals=3, part="points68"),
        Column(key="mouth", heading="mouth r", better="higher", decimals=3, part="landmarks"),
        Column(key="csim_dlib", heading="CSIM (dlib)", better="higher", decimals=3, part="dlib"),
        Column(key="csim_arcface", heading="CSIM (ArcFace)", better="higher", decimals=3, part="arcface"),
        Column(key="diversity", heading="diversity", better="as the truth", decimals=2, part="pose"),
    )
}
"""All columns by their keys."""

_SYNC = ("sync_d", "sync_c", "sync_offset")

_IDENTITY = ("csim_dlib", "csim_arcface")

TABLES: Mapping[TableName, TableColumns] = {
    "reconstruction": TableColumns(
        paper=("fid", "lpips", "psnr", "akd", "msi"),
        further=("ssim", "akd68", "lmd", "lmd68", "mouth", *_IDENTITY, *_SYNC, "diversity"),
    ),
    "reenactment": TableColumns(
        paper=("fid", "akd", "msi"), further=("akd68", "lmd", "lmd68", "mouth", *_IDENTITY, *_SYNC, "diversity")
    ),
    "speech": TableColumns(
        paper=("sync_d", "msi", "fid"),
        further=("sync_c", "sync_offset", "lmd", "lmd68", "mouth", *_IDENTITY, "diversity"),
    ),
}
"""Columns of each table. Frames of speech-driven videos need not be those of the truth, nor those of another person's
motion, so that PSNR, SSIM and LPIPS belong to self-reconstruction alone."""
