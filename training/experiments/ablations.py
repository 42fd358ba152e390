"""The experiments of the paper's tables, each a named config: what GAIA sections 5.3 and 5.4 and appendix C vary.

One YAML file in `training/configs/ablations` is one row of Table 4, 5, 6, 7 or 9, or one application of section 5.4. It
names a size of each network and lays over it what the row changes, so that a row reads as its difference from the main
model.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, TypeVar

from foundation.settings import ConfigError, overlaid, require_known
from models.motion.config import MOTION_DIFFUSION_SIZES, MotionDiffusionConfig
from models.vae.vae import VAE_SIZES, VaeConfig
from training.data.selection import DataConfig

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["Ablation", "ablation_names", "load_ablation", "read_ablation"]

ConfigT = TypeVar("ConfigT", bound="DataclassInstance")

_FOLDER = resources.files("training.experiments")

_SECTIONS = ("origin", "vae", "diffusion", "data")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ablation:
    """One experiment: the networks and the data."""

    name: str
    origin: str
    """Where the paper has it, such as `Table 6, w/o head pose`."""
    vae: VaeConfig
    diffusion: MotionDiffusionConfig | None
    """None where the experiment is on the VAE alone."""
    data: DataConfig


def ablation_names() -> tuple[str, ...]:
    """Return the names of all experiments."""
    return tuple(sorted(file.name.removesuffix(".yaml") for file in _FOLDER.iterdir() if file.name.endswith(".yaml")))


def load_ablation(name: str) -> Ablation:
    """Return the experiment called `name`.

    Raises:
        ConfigError: no experiment has that name; the message has the nearest one.
    """
    require_known([name], ablation_names(), "experiment")
    return read_ablation((_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), name)


def read_ablation(text: str, name: str) -> Ablation:
    """Return the experiment that the YAML `text` describes.

    Raises:
        ConfigError: a section, size or name is missing or unknown, or a value is not allowed; the message names it and
            what is allowed.
    """
    import yaml

    try:
        sections = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{name} is no YAML: {error}") from error
    if not isinstance(sections, Mapping) or not {"origin", "vae"} <= set(sections):
        raise ConfigError(
            f"{name} is {sections!r}; give the sections {', '.join(_SECTIONS)}, of which two are optional"
        )
    require_known(sections, _SECTIONS, f"{name}: section")
    return Ablation(
        name=name,
        origin=str(sections["origin"]),
        vae=_sized(VAE_SIZES, sections["vae"], f"{name}.vae"),
        diffusion=(
            _sized(MOTION_DIFFUSION_SIZES, sections["diffusion"], f"{name}.diffusion")
            if "diffusion" in sections
            else None
        ),
        data=overlaid(DataConfig(), sections.get("data", {}), f"{name}.data"),
    )


def _sized(sizes: Mapping[str, ConfigT], values: object, where: str) -> ConfigT:
    """Return the config of the size that `values` name, with their other names laid over it."""
    if not isinstance(values, Mapping) or values.get("size") not in sizes:
        raise ConfigError(f"{where} is {values!r}; give a size among its names: {', '.join(sizes)}")
    return overlaid(sizes[values["size"]], {name: value for name, value in values.items() if name != "size"}, where)
