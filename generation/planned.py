"""The lines of a dry run: what would be done, and with how much memory."""

from typing import TYPE_CHECKING

from foundation.text import count_text
from generation.portrait import Portrait
from generation.pose_expression import ANGLES
from generation.prepared import asked_poses
from generation.request import GenerationJob
from generation.speech import read_speech
from generation.trained_run import TrainedRun
from manifests.timeline import TICK_RATE_HZ
from models.face_motion import FRAMES_AT_ONCE
from models.sampling.long_audio import windows

if TYPE_CHECKING:
    from torch import nn

    from models.motion.diffusion import MotionDiffusion

__all__ = ["plan_lines"]


def plan_lines(job: GenerationJob, run: TrainedRun, portrait: Portrait) -> list[str]:
    """Return what would be done, one line each."""
    encoder = "text" if job.text is not None else "speech"
    lines = [
        f"run: {run.label}, landmarks {run.facts.landmark_scheme}, {encoder} encoder {run.facts.speech_encoder}",
        f"VAE: {_millions(run.vae)}, pictures of {run.size_px} x {run.size_px} px",
        f"portrait: face {portrait.face_width_px:.0f} px wide, shown {_shown_width_px(portrait):.0f} px wide",
    ]
    if job.speech is not None and run.motion is not None:
        speech = read_speech(job.speech)
        n_frames = speech.n_frames
        chosen = "" if speech.track is None else f", audio track {speech.track}"
        lines += [
            f"speech: {count_text(n_frames, 'frame')}, {float(n_frames / TICK_RATE_HZ):.2f} s{chosen}",
            _motion_line(job, run.motion, n_frames),
            *_pose_lines(job, run, portrait, n_frames),
        ]
    if job.text is not None and run.motion is not None:
        n_frames = job.n_frames_of_text
        told = repr(job.text) if job.text else "none: motion without an instruction"
        lines += [f"text: {told}, {n_frames} frames", _motion_line(job, run.motion, n_frames)]
    if job.edit is not None:
        lines.append(f"all but mouth and jaw: {job.edit.video}{', in its own picture' if job.edit.dub else ''}")
    return [*lines, f"memory: about {_memory_gib(run):.1f} GiB in addition to the libraries", f"out: {job.out}"]


def _motion_line(job: GenerationJob, motion: "MotionDiffusion", n_frames: int) -> str:
    places = windows(n_frames, job.sampling.long_audio)
    sampled = f"{count_text(len(places), 'window')} of {count_text(places[0].stop, 'frame')}, {_solver_text(job)}"
    return f"motion: {_millions(motion)}, {sampled}, {motion.config.target_dims} numbers a frame"


def _solver_text(job: GenerationJob) -> str:
    if job.edit is None:
        solver = job.motion.solver
        return f"{count_text(solver.steps, 'step')} of {solver.name}"
    edit = job.edit.solver(job.motion.steps)
    return f"{edit.steps * edit.resamplings} runs of the network by {edit.method}"


def _pose_lines(job: GenerationJob, run: TrainedRun, portrait: Portrait, n_frames: int) -> list[str]:
    """Return the range of the head poses that are asked for."""
    track_deg = asked_poses(job, run, portrait, n_frames)
    if track_deg is None:
        return []
    ends = zip(ANGLES, track_deg.min(axis=0), track_deg.max(axis=0), strict=True)
    return ["head pose: " + ", ".join(f"{angle} {low:.0f} to {high:.0f} degrees" for angle, low, high in ends)]


def _memory_gib(run: TrainedRun) -> float:
    """Return what the weights take, and at full resolution the decoder: four layers of as many channels at a time."""
    networks = [run.vae] if run.motion is None else [run.vae, run.motion]
    weights = sum(parameter.numel() for network in networks for parameter in network.parameters())
    layers = 4 * FRAMES_AT_ONCE * run.vae.config.width * run.size_px**2
    return 4 * (weights + layers) / 2**30


def _millions(network: "nn.Module") -> str:
    return f"{sum(parameter.numel() for parameter in network.parameters()) / 1e6:.2f}M parameters"


def _shown_width_px(portrait: Portrait) -> float:
    xs = portrait.landmarks_px[:, 0]
    return float(xs.max() - xs.min())
