"""The settings of a curation run: everything that decides what a dataset holds."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from curation.analysis.settings import AnalysisSettings
from curation.analysis.windows import WindowSettings
from curation.choices import LayoutName, PresetName
from curation.decision.settings import RulesSettings
from curation.media.settings import MediaSettings
from curation.perception.settings import PerceptionSettings
from curation.rendering.crop import CropSettings
from curation.rendering.settings import RenderSettings
from curation.sources.layouts import settings_of_layout
from curation.speech.settings import SpeechSettings
from curation.splits.settings import SplitSettings
from foundation import settings as settings_files
from foundation.settings import Overrides, Settings, SettingsError, settings_of
from manifests.packing.pack import StorageSettings
from manifests.vocabulary import TIERS, Tier

__all__ = [
    "PRESETS",
    "CurationSettings",
    "PresetName",
    "PrivacySettings",
    "SettingsError",
    "SettingsOfLayout",
    "differences",
    "equally_measured",
    "layout_notes",
    "load_settings",
]

_BY_DESCRIPTORS = ("rules.tracks.max_", "privacy.keep_descriptors")
"""Settings that need descriptors."""

_MEASURED = ("preset", "perception.", "media.audio_track", "analysis.")
"""Settings that the evidence depends on: to change them is to measure again."""


class PrivacySettings(Settings):
    """Biometric data that a dataset keeps of the people in it, and whether they must have consented."""

    keep_descriptors: bool = True
    """Whether the dataset keeps identity descriptors of faces and voices: `frames.descriptor`, that of
    `frames.other_faces`, `clips.identity`, and `identities.voice_embedding`. With false none is left
    after the command that `descriptors_until` names."""
    descriptors_until: Literal["identities", "run"] = "identities"
    """Where `keep_descriptors` is false, the command whose end no descriptor outlives. `identities`: they are stored
    until `gaia-curate identities` has recognised people by them. `run`: they are never stored in a table."""
    require_consent: bool = False
    """Whether videos are left out whose list or annotation records no consent (column `consent`); the option
    `--require-consent`. A dataset that was begun with it keeps it."""

    @property
    def descriptors_stored(self) -> bool:
        """Whether `run` writes descriptors."""
        return self.keep_descriptors or self.descriptors_until != "run"


class CurationSettings(Settings):
    """Everything that decides what a dataset holds. `dataset.json` records it in full."""

    preset: PresetName = "embedded"
    """Set of defaults of the other settings; only the option `--preset` chooses it."""
    tiers: tuple[Tier, ...] = Field(default=TIERS, min_length=1)
    """Tiers of which clips are made. `[diffusion]`: pictures are measured only where speech is long enough for a clip.
    `[vae]`: no speech is denoised or encoded, and lips are not compared with the sound."""
    media: MediaSettings = MediaSettings()
    """Decoding of sources and encoding of clips."""
    perception: PerceptionSettings = PerceptionSettings()
    """Models that measure faces, poses and masks."""
    analysis: AnalysisSettings = AnalysisSettings()
    """How much is measured where no clip can lie."""
    rules: RulesSettings = RulesSettings()
    """Rules that drop seconds of a video, and their limits."""
    crop: CropSettings = CropSettings()
    """Square around the face that a clip shows."""
    speech: SpeechSettings = SpeechSettings()
    """Loudness, noise, features and transcript of the speech."""
    split: SplitSettings = SplitSettings()
    """Division of the clips into train, val and test."""
    privacy: PrivacySettings = PrivacySettings()
    """Biometric data that is kept, and consent."""
    windows: WindowSettings = WindowSettings()
    """Windows in which long videos are measured."""
    storage: StorageSettings = StorageSettings()
    """Sizes of the files of a dataset."""

    @field_validator("tiers")
    @classmethod
    def _each_once(cls, tiers: tuple[Tier, ...]) -> tuple[Tier, ...]:
        if len(set(tiers)) < len(tiers):
            raise ValueError("a tier is named twice; name it once")
        return tuple(tier for tier in TIERS if tier in tiers)

    @property
    def in_use(self) -> "CurationSettings":
        """The same settings without the models that only tier `diffusion` needs, where it is not asked for."""
        if "diffusion" in self.tiers:
            return self
        perception = self.perception.model_copy(update={"sync": "none", "speaking": "none"})
        speech = self.speech.model_copy(update={"denoiser": "none", "encoder": "none", "transcript": "none"})
        return self.model_copy(update={"perception": perception, "speech": speech})

    @property
    def rendering(self) -> RenderSettings:
        """The settings that rendering reads."""
        return RenderSettings(crop=self.crop, media=self.media, min_speech_prob=self.rules.silence.min_speech_prob)


PRESETS: Mapping[PresetName, CurationSettings] = {
    "embedded": CurationSettings(),
    "paper": CurationSettings(
        preset="paper",
        # the SSD costs 25 times the embedded network, and masks are worn for more than half a second
        perception=PerceptionSettings(
            faces="scrfd", pose="3ddfa_mb1", identity="auto", mask="ssd", mask_stride=12, speaking="lr_asd"
        ),
        speech=SpeechSettings(denoiser="dns64", encoder="wav2vec2"),
    ),
}
"""By name: `embedded`, with weights that come over the Python package index alone, and `paper`, the paper's own models.
Only the models differ, and how often the most expensive one runs: the rules and their limits are the same."""


SettingsOfLayout = Callable[[LayoutName | None], CurationSettings]
"""Function that returns settings for the layout of a source folder, which is known once the folder was listed."""


def load_settings(
    preset: PresetName | CurationSettings = "paper",
    file: str | Path | None = None,
    overrides: Overrides = (),
    *,
    layout: LayoutName | None = None,
) -> CurationSettings:
    """Return the settings of a preset, changed by a layout, then by a YAML file and then by overrides.

    Args:
        preset: its name, or settings to begin with, such as those of a dataset.
        file: YAML file with some of the settings.
        overrides: ``dotted.name=value``, the value as YAML; or values by dotted name.
        layout: of the source folder, some of which bring settings that fit the data set. None: of no data set.

    Raises:
        SettingsError: an unknown preset, a file that is not YAML, an unknown setting, a value of the wrong type or out
            of range. The message names the setting, the value, what is allowed, and the nearest known name.
    """
    if isinstance(preset, str):
        settings_files.require_known([preset], PRESETS, "preset")
    base = PRESETS[preset] if isinstance(preset, str) else preset
    fitted = settings_files.changed_settings(base, overrides=settings_of_layout(layout))
    settings = settings_files.changed_settings(fitted, None if file is None else Path(file), overrides)
    if settings.preset != base.preset:
        raise SettingsError(
            f"setting 'preset' is {settings.preset!r}, but these are changes to the preset {base.preset!r}: only "
            "`gaia-curate run --preset` chooses it, because the other defaults follow from it"
        )
    return settings


def layout_notes(layout: LayoutName | None, settings: CurationSettings) -> tuple[str, ...]:
    """Return sentences for the user about the settings that a layout brings: those in effect, and those that are not.

    Args:
        layout: of the source folder.
        settings: in effect.
    """
    in_effect = dict(settings_files.setting_leaves(settings_of(settings)))
    brought = settings_of_layout(layout)
    held = [f"{name}={value:g}" for name, value in brought.items() if in_effect[name] == value]
    other = [
        f"{name} is {in_effect[name]}, not {value:g}" for name, value in brought.items() if in_effect[name] != value
    ]
    notes: tuple[str, ...] = ()
    if held:
        notes = (f"The layout {layout} brings {' and '.join(held)}; --set or --config would change them.",)
    if other:
        notes = (*notes, f"Other settings than those that the layout {layout} brings: {'; '.join(other)}.")
    return notes


def differences(ours: CurationSettings, theirs: CurationSettings) -> list[str]:
    """Return one line per setting that differs, such as ``rules.frontal.strict_deg: 15.0, was 25.0``."""
    changes = settings_files.differences(settings_of(ours), settings_of(theirs))
    return [f"{name}: {change}" for name, change in changes.items()]


def equally_measured(settings: CurationSettings, before: CurationSettings, dataset: Path) -> list[str]:
    """Return a line per setting that differs, of settings that can be applied to the evidence of a dataset.

    Args:
        settings: to be applied.
        before: of the dataset.
        dataset: for messages.

    Raises:
        SettingsError: a setting that needs measuring anew differs.
    """
    changed = differences(settings, before)
    if any(line.startswith("privacy.require_consent") for line in changed):
        raise SettingsError("privacy.require_consent: `gaia-curate run` alone applies it; leave the setting as it is")
    measured = [line for line in changed if line.startswith(_MEASURED)]
    if measured:
        raise SettingsError(f"{'; '.join(measured)}: the evidence was measured otherwise; `gaia-curate run` anew")
    if not before.privacy.keep_descriptors:
        lost = [line for line in changed if line.startswith(_BY_DESCRIPTORS)]
        if lost:
            raise SettingsError(
                f"{'; '.join(lost)}: {dataset} keeps no descriptors (privacy.keep_descriptors=false), so that "
                "people can be told apart only as before; leave the setting, or `gaia-curate run` anew"
            )
    return changed
