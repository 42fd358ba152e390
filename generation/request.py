"""What is asked of a generated video: the inputs and options of `gaia-generate`, checked before anything is read."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path
from typing import get_args

from generation.editing.choice import EditChoice
from generation.pose_track import PoseChoice
from generation.trained_run import GenerationError
from manifests.files.label_text import instruction_text
from manifests.files.names import UnsafeValueError
from manifests.timeline import TICK_RATE_HZ
from models.sampling.guidance import GUIDANCE, GuidanceConfig
from models.sampling.sample_motion import MotionSampling
from models.sampling.samplers import SAMPLERS, SamplerConfig, SamplerName

__all__ = ["GenerationJob", "MotionOptions", "face_number"]

_MOST_STEPS, _MOST_VARIANTS = 10_000, 1000

_SHORTEST_S, _USUAL_S, _LONGEST_S = 1.0, 4.0, 10.0
"""Lengths of videos that text drives: the longest sequences of training have 10 s."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MotionOptions:
    """How motion is sampled from speech (GAIA section 4.3)."""

    sampler: SamplerName = "dpmpp_2m"
    """Solver of the reverse process."""
    steps: int | None = None
    """Times of its grid; None: as many as suit the solver."""
    guidance: float = 1.0
    """Weight of the speech, the head pose included, or of the text; 1 is as in training."""
    temperature: float = 1.0
    """Divisor of the initial noise."""

    def __post_init__(self) -> None:
        if self.sampler not in get_args(SamplerName):
            raise GenerationError(f"--sampler is {self.sampler!r}; give one of {', '.join(get_args(SamplerName))}")
        if self.steps is not None and not 1 <= self.steps <= _MOST_STEPS:
            raise GenerationError(f"--steps is {self.steps}; give 1 to {_MOST_STEPS}, such as {_suited(self.sampler)}")
        if not (self.guidance >= 0.0 and isfinite(self.guidance)):
            raise GenerationError(f"--guidance is {self.guidance}; give 0 or more, such as 1")
        if not (self.temperature > 0.0 and isfinite(self.temperature)):
            raise GenerationError(f"--temperature is {self.temperature}; give a number above 0, such as 1")
        if self.sampler == "sde_em" and self.temperature != 1.0:
            raise GenerationError(
                f"--temperature is {self.temperature}, but sde_em replaces the noise that it divides; give 1, or "
                "another --sampler"
            )

    @property
    def solver(self) -> SamplerConfig:
        """Solver with its grid and number of steps."""
        suited = SAMPLERS[self.sampler]
        return replace(suited, steps=self.steps or suited.steps, temperature=self.temperature)

    @property
    def sampling(self) -> MotionSampling:
        """The solver with guidance and windows; the process is that of the run."""
        return MotionSampling(solver=self.solver, guidance=GuidanceConfig(speech=self.guidance))


def _suited(sampler: SamplerName) -> int:
    return SAMPLERS[sampler].steps


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationJob:
    """Inputs of a generated video; one of `speech`, `driving` and `text` is given."""

    run: Path
    portrait: Path | None
    """None: the face of the video that is dubbed."""
    out: Path
    speech: Path | None = None
    driving: Path | None = None
    text: str | None = None
    """Instruction; empty: the network's own motion, without one."""
    text_encoder: str | None = None
    """Folder or name of the text encoder; None: looked for by the name that the run recorded."""
    seconds: float = _USUAL_S
    """Length of a video that text drives."""
    motion: MotionOptions = field(default_factory=MotionOptions)
    """How motion is sampled from speech."""
    pose: PoseChoice = field(default_factory=PoseChoice)
    """Head poses, for speech."""
    edit: EditChoice | None = None
    """Video of which the speech changes mouth and jaw alone; None: none."""
    seed: int = 0
    variants: int = 1
    """Number of videos; their seeds follow one another from `seed` on."""
    face: int | None = None
    """Number of the face in the portrait, from 1 for the widest; None: the portrait has one face."""
    keep_background: bool = False
    """Whether the video shows the whole picture of the portrait, and not the square around its face."""
    credentials: tuple[Path, Path] | None = None
    """PEM files of the certificate and the key that sign the video; None: it is not signed."""
    device: str = "auto"

    def __post_init__(self) -> None:
        drivers = {"--speech": self.speech, "--driving": self.driving, "--text": self.text}
        given = [option for option, value in drivers.items() if value is not None]
        if len(given) != 1:
            which = f"both {given[0]} and {given[1]}" if given else "neither --speech nor --driving nor --text"
            raise GenerationError(f"{which} was given; give the one that shall drive the portrait")
        if self.text is not None:
            self._require_instruction(self.text)
        elif self.text_encoder is not None or self.seconds != _USUAL_S:
            raise GenerationError("--text-encoder and --seconds go with --text; leave them out")
        if self.out.suffix.lower() != ".mp4":
            raise GenerationError(f"--out is {self.out}; give a name that ends in .mp4")
        if not 1 <= self.variants <= _MOST_VARIANTS:
            raise GenerationError(f"--variants is {self.variants}; give 1 to {_MOST_VARIANTS}")
        if self.driving is not None:
            self._require_nothing_sampled()
        if self.edit is not None:
            self._require_edit_alone(self.edit.option)
        self._require_one_face()

    def _require_instruction(self, text: str) -> None:
        """Refuse a text that cannot be an instruction, and options that do not go with one."""
        try:
            if text:
                instruction_text(text)
        except UnsafeValueError as error:
            raise GenerationError(f"--text: {error}") from error
        if not _SHORTEST_S <= self.seconds <= _LONGEST_S:
            raise GenerationError(f"--seconds is {self.seconds:g}; give {_SHORTEST_S:g} to {_LONGEST_S:g}, such as 4")
        if self.pose != PoseChoice():
            raise GenerationError(
                "--pose, --pose-amplitude and --pose-offset go with --speech: a model that text drives takes no head "
                "poses; leave them out"
            )

    @property
    def sampling(self) -> MotionSampling:
        """How motion is sampled, but for the process, which is that of the run."""
        if self.text is None:
            return self.motion.sampling
        weight = self.motion.guidance if self.text else 0.0
        return replace(self.motion.sampling, guidance=replace(GUIDANCE["text"], text=weight))

    @property
    def n_frames_of_text(self) -> int:
        """Frames of a video that text drives."""
        return round(self.seconds * TICK_RATE_HZ)

    def _require_nothing_sampled(self) -> None:
        """Refuse options of sampling beside a driving video, which leaves nothing to sample."""
        given = {
            "--sampler, --steps, --guidance and --temperature": self.motion != MotionOptions(),
            "--variants": self.variants != 1,
            "--pose, --pose-amplitude and --pose-offset": self.pose != PoseChoice(),
        }
        for options, is_given in given.items():
            if is_given:
                raise GenerationError(
                    f"{options} go with --speech: with --driving no motion is sampled; leave them out"
                )

    def _require_one_face(self) -> None:
        """Refuse a job without a face, or with two."""
        dub = self.edit is not None and self.edit.dub
        if self.portrait is None and not dub:
            raise GenerationError("no --portrait was given; give a picture of the person who shall speak")
        if dub and (self.portrait is not None or self.face is not None or self.keep_background):
            raise GenerationError(
                "--portrait, --face and --keep-background do not go with --dub, in which the face of the video speaks "
                "in its own picture; leave them out, or give --edit"
            )

    def _require_edit_alone(self, option: str) -> None:
        """Refuse options that an edited video has no use for."""
        if self.speech is None:
            other = "--driving" if self.text is None else "--text"
            raise GenerationError(
                f"{option} and {other} were both given; give {option} with --speech, or {other} alone"
            )
        if self.pose != PoseChoice():
            raise GenerationError(
                f"--pose, --pose-amplitude and --pose-offset do not go with {option}, whose video gives the head "
                "poses; leave them out"
            )
        if replace(self.motion, steps=None, guidance=1.0) != MotionOptions():
            raise GenerationError(
                f"--sampler and --temperature do not go with {option}; give --edit-method, with --steps and --guidance"
            )

    def videos(self) -> Iterator[tuple[int, Path]]:
        """Yield seed and file of each video: `out` itself, or of several the same name with the seed at its end."""
        if self.variants == 1:
            yield self.seed, self.out
            return
        for seed in range(self.seed, self.seed + self.variants):
            yield seed, self.out.with_stem(f"{self.out.stem}_seed{seed}")


def face_number(face: int | str | None) -> int | None:
    """Return the number of a face in a portrait, from 1 for the widest on, of a number or the word `largest`.

    Raises:
        GenerationError: it is neither.
    """
    if face is None:
        return None
    if face == "largest":
        return 1
    try:
        number = int(face)
    except ValueError:
        number = 0
    if number < 1:
        raise GenerationError(f"--face is {face!r}; give a number from 1 for the widest on, or largest")
    return number
