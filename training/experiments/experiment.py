"""Experiments of the paper's tables as named settings (GAIA sections 5.3 and 5.4 and appendix C).

One YAML file in this folder is one row of Table 4, 5, 6, 7 or 9, or one application of section 5.4. It names a size of
each network and lays over it what the row changes, so that a row reads as its difference from the main model.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import TypeVar

from foundation.errors import UsageError
from foundation.settings import SettingsError, overlaid, require_known, setting_leaves
from foundation.text import text_table
from models.motion.config import MOTION_DIFFUSION_SIZES, MotionDiffusionConfig
from models.vae.config import VAE_SIZES, VaeConfig
from training.data.config import DataConfig
from training.presets import SIZES, SizeName

__all__ = [
    "Experiment",
    "ExperimentError",
    "as_text",
    "experiment_names",
    "experiments_of",
    "load_experiment",
    "read_experiment",
    "require_measured",
]

ConfigT = TypeVar("ConfigT")

_FOLDER = resources.files("training.experiments")

_SECTIONS = ("origin", "vae", "diffusion", "data")


class ExperimentError(UsageError):
    """An experiment cannot be trained with what was given, or not measured; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Experiment:
    """Networks and data of one row of the paper's tables."""

    name: str
    """Name of its file and of the argument of `gaia-train experiment`."""
    origin: str
    """Row of the paper, such as `Table 6, w/o head pose`."""
    vae_size: SizeName
    """Size of the VAE."""
    vae: VaeConfig
    """Networks of the VAE: those of its size, with the changes of the experiment."""
    diffusion_size: SizeName | None
    """Size of the diffusion model; None where the experiment is on the VAE alone."""
    diffusion: MotionDiffusionConfig | None
    """Diffusion model, likewise; None where the experiment is on the VAE alone."""
    data: DataConfig
    """Selection of the clips."""
    data_changes: Mapping[str, object]
    """Settings of `data` that the experiment names; each trainer lays them over its own defaults."""
    changes: tuple[str, ...]
    """Settings that differ from those of the sizes, such as `diffusion.objective=regression`."""

    @property
    def is_measured(self) -> bool:
        """Whether protocols measure its videos: those of text have no true ones."""
        return self.diffusion is None or self.diffusion.condition == "speech"


def require_measured(experiment: Experiment) -> None:
    """Refuse to measure an experiment that no protocol measures.

    Raises:
        ExperimentError: with the option that trains it alone.
    """
    if not experiment.is_measured:
        raise ExperimentError(
            f"experiment {experiment.name} ({experiment.origin}) is driven by text, and all protocols measure videos "
            "of speech; train it with --train-only"
        )


def experiment_names() -> tuple[str, ...]:
    """Return the names of all experiments."""
    return tuple(sorted(file.name.removesuffix(".yaml") for file in _FOLDER.iterdir() if file.name.endswith(".yaml")))


def load_experiment(name: str, size: SizeName | None = None) -> Experiment:
    """Return the experiment called `name`.

    Args:
        name: of its file.
        size: of both networks, in place of those of the row; None: as the row has them.

    Raises:
        SettingsError: no experiment has that name; the message has the nearest one.
    """
    require_known([name], experiment_names(), "experiment")
    return read_experiment((_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), name, size)


def experiments_of(name: str) -> tuple[str, ...]:
    """Return the names of the experiments of a table, such as `table6`, that are measured; of a row, its own name.

    >>> experiments_of("table7"), experiments_of("table9_transformer")
    (('table7_voxceleb2',), ('table9_transformer',))
    """
    rows = tuple(one for one in experiment_names() if one.partition("_")[0] == name)
    return tuple(one for one in rows if load_experiment(one).is_measured) or (name,)


def read_experiment(text: str, name: str, size: SizeName | None = None) -> Experiment:
    """Return the experiment that the YAML `text` describes.

    Args:
        text: sections `origin`, `vae`, and where the row has them `diffusion` and `data`.
        name: of the experiment.
        size: of both networks, in place of those in the text; None: as the text has them.

    Raises:
        SettingsError: a section, size or name is missing or unknown, or a value is not allowed; the message names it
            and what is allowed.
    """
    import yaml

    try:
        sections = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError(f"{name} is no YAML: {error}") from error
    if not isinstance(sections, Mapping) or not {"origin", "vae"} <= set(sections):
        raise SettingsError(
            f"{name} is {sections!r}; give the sections {', '.join(_SECTIONS)}, of which two are optional"
        )
    require_known(sections, _SECTIONS, f"{name}: section")
    if size is not None:
        sections = {
            key: {**values, "size": size} if key in ("vae", "diffusion") and isinstance(values, Mapping) else values
            for key, values in sections.items()
        }
    vae_size, vae = _sized(VAE_SIZES, sections["vae"], f"{name}.vae")
    diffusion_size, diffusion = None, None
    if "diffusion" in sections:
        diffusion_size, diffusion = _sized(MOTION_DIFFUSION_SIZES, sections["diffusion"], f"{name}.diffusion")
    return Experiment(
        name=name,
        origin=str(sections["origin"]),
        vae_size=vae_size,
        vae=vae,
        diffusion_size=diffusion_size,
        diffusion=diffusion,
        data=overlaid(DataConfig(), sections.get("data", {}), f"{name}.data"),
        data_changes=sections.get("data", {}),
        changes=tuple(
            f"{setting}={value if isinstance(value, str) else json.dumps(value, allow_nan=False)}"
            for setting, value in setting_leaves(
                {section: sections.get(section, {}) for section in ("vae", "diffusion", "data")}
            )
            if setting not in {"vae.size", "diffusion.size"}
        ),
    )


def _sized(sizes: Mapping[str, ConfigT], values: object, where: str) -> tuple[SizeName, ConfigT]:
    """Return the size that `values` name, and its config with the other values laid over it."""
    size = next((size for size in SIZES if isinstance(values, Mapping) and values.get("size") == size), None)
    if size is None or not isinstance(values, Mapping):
        raise SettingsError(f"{where} is {values!r}; give a size among its names: {', '.join(sizes)}")
    changes = {name: value for name, value in values.items() if name != "size"}
    return size, overlaid(sizes[size], changes, where)


def as_text() -> str:
    """Return all experiments as a table: name, row of the paper, sizes, and the settings that differ from them."""
    return text_table(
        ["experiment", "row of the paper", "VAE", "diffusion", "differs in", "trained by"],
        [_row(load_experiment(name)) for name in experiment_names()],
        numeric=[False] * 6,
    )


def _row(experiment: Experiment) -> list[str]:
    command = "vae" if experiment.diffusion is None else "diffusion"
    return [
        experiment.name,
        experiment.origin,
        experiment.vae_size,
        experiment.diffusion_size or "-",
        ", ".join(experiment.changes) or "-",
        command,
    ]
