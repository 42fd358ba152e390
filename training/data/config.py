"""Settings that all trainers share about data: which clips of a dataset are used."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from foundation.settings import Section
from manifests.query_limits import QUERY_MEMORY_GIB
from manifests.vocabulary import Split, Tier

__all__ = ["DataConfig"]


@dataclass(frozen=True, kw_only=True, slots=True)
class DataConfig(Section):
    """Selection of the clips of a dataset. All conditions hold at once."""

    tiers: tuple[Tier, ...] = ("diffusion", "vae")
    """Tiers of the clips. Those of tier `diffusion` serve both trainers, those of tier `vae` the VAE alone (GAIA
    appendix A.1)."""
    splits: tuple[Split, ...] = ("train",)
    """Splits of the clips. Ours."""
    sources: tuple[str, ...] = ()
    """Values of the column `source` (Table 7: VoxCeleb2); none: all."""
    test_sources: tuple[str, ...] = ()
    """Values of the column `source` that are the test set, whatever their split: nothing is learned from them (GAIA
    section 5.1: a test set of another data set). none: the clips of split `test` are the test set. Ours."""
    hours_subset: Annotated[float, Field(gt=0.0)] | None = None
    """Hours drawn from the clips that the other conditions leave (Tables 4 and 5: 500 and 100); a smaller subset is
    part of a larger one. null: all."""
    max_hours_per_person: Annotated[float, Field(gt=0.0)] | None = None
    """Hours of one person at most, to within a clip, drawn from the person's clips; a person is `person_id`, else
    `speaker_id`, else the video. null: all. Ours."""
    near_duplicates: Literal["all", "one"] = "all"
    """`one`: of videos that `gaia-curate duplicates` found to be copies, the one with most frames alone. Ours."""
    with_instruction: bool = False
    """Whether clips without an instruction are left out; a motion model that text drives sets it. Ours."""
    where: str | None = None
    """SQL condition over `clips`, such as `snr_db > 15 and sharpness_mean > 80`; may use `videos` and `frames`. null:
    none."""
    where_timeout_s: Annotated[float, Field(gt=0.0)] = 300.0
    """Seconds that `where` may take before the run is refused. Ours: a hundred thousand clips take about one minute."""
    where_memory_gib: Annotated[float, Field(ge=0.0625)] = QUERY_MEMORY_GIB
    """Memory that `where` may take, GiB. Ours."""
    max_damaged_share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.01
    """Share of the selected clips that may prove damaged before the run stops; a single one never stops it. Ours."""

    def __post_init__(self) -> None:
        Section.__post_init__(self)
        if not self.tiers or not self.splits:
            raise ValueError(f"tiers are {self.tiers} and splits {self.splits}; give at least one of each")
        both = sorted({*self.sources} & {*self.test_sources})
        if both:
            raise ValueError(
                f"sources and test_sources both name {both}; nothing is learned from a source of the test set"
            )
