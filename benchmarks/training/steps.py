"""How fast do the networks train, at which share of the card's peak, and in how much memory?

Each case is a process of its own that takes real optimiser steps of `training.loop.session` on random data: forward and
backward passes, gradient norms, Adam, averaged weights; no loader. Prints one JSON line. Per case:

- `per_second`: images, or sequences of 250 frames.
- `mfu`: floating-point operations of forward and backward passes per second (counted by torch on the meta device,
  without what checkpointing repeats), over the card's peak in bfloat16; null where that is not known.
- `memory_gib`: most bytes that tensors took on the GPU; on a CPU, of the process.
- `largest`: with `--profile`, the three operators that take the most time, with their shares.

`vae` trains with all losses, LPIPS among them, `vae_plain` with L1 and KL alone, as does `peer`: diffusers'
AutoencoderKL of about as many parameters (it has one encoder, where GAIA's VAE has two).

    python -m benchmarks.training.steps [--networks vae:small,diffusion:base] [--variants plain,compile] [--profile]
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from benchmarks.checkout import ROOT
from benchmarks.training.operations import operations
from benchmarks.training.tasks import random_task
from training.loop.config import TrainConfig
from training.loop.parallel import Ranks
from training.loop.session import Session
from training.loop.task import moved

ON_GPU = (
    *("vae:small", "vae_plain:small", "peer:small", "vae:base", "vae_plain:base", "peer:base"),
    *("diffusion:small", "diffusion:base", "diffusion:large"),
)
ON_CPU = ("vae:tiny", "vae_plain:tiny", "peer:tiny", "diffusion:tiny")
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "compile": {"compile": True},
    "block": {"activation_checkpointing": "block"},
    "selective": {"activation_checkpointing": "selective"},
    "compile+block": {"compile": True, "activation_checkpointing": "block"},
}
"""Settings of `training.loop.config.TrainConfig`, by the name of the variant."""

BATCHES = {"vae:small": 32, "vae:base": 8, "vae:large": 2, "diffusion:small": 128, "diffusion:base": 128}
"""Samples per step on a GPU; 64 of others."""

PEAK_TFLOPS = {"H100": 989.0, "H200": 989.0, "A100": 312.0, "L40S": 362.0, "L4": 121.0, "4090": 165.0}
"""In bfloat16, dense, from the makers' data sheets, by a part of the card's name."""

WARM_UP_STEPS = 3
"""They compile, choose kernels and allocate moments."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A network in a variant."""

    network: str
    """Kind and size, such as `vae:small`."""
    variant: str
    batch: int
    """Samples per step."""
    steps: int
    """That are timed."""
    profile: bool = False
    """Name the three largest costs."""


def measure(case: Case) -> dict[str, object]:
    """Return the figures of a case, on the GPU where there is one."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    task = random_task(case.network, device)
    config = TrainConfig(steps=1, batch=case.batch, micro_batch=case.batch, max_gradient_norm=1.0, workers=0)
    if device.type == "cpu":
        config = replace(config, precision="fp32")
    session: Session[Any] = Session(task, replace(config, **VARIANTS[case.variant]), Ranks(device=device))
    batch = moved(task.batch(case.batch), device)
    for _ in range(WARM_UP_STEPS):
        session.step([batch])
    begin_s = _now_s(device)
    for _ in range(case.steps):
        session.step([batch])
    per_second = case.steps * case.batch / (_now_s(device) - begin_s)
    peak = next((tflops for name, tflops in PEAK_TFLOPS.items() if name in _device_name(device)), None)
    flops = operations(case.network)
    return {
        "batch": case.batch,
        "parameters_m": round(sum(session.n_parameters.values()) / 1e6, 2),
        "tflop_per_sample": round(flops / 1e12, 4),
        "per_second": round(per_second, 2),
        "mfu": None if peak is None else round(per_second * flops / (peak * 1e12), 3),
        "memory_gib": round(_memory(device) / 2**30, 2),
        **({"largest": _largest(session, batch, device)} if case.profile else {}),
    }


def _now_s(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def _memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name() if device.type == "cuda" else "CPU"


def _largest(session: Session[Any], batch: Any, device: torch.device) -> list[tuple[str, float]]:  # noqa: ANN401
    from torch.profiler import ProfilerActivity

    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.type == "cuda" else [])]
    with torch.profiler.profile(activities=activities) as profiler:
        session.step([batch])
        _now_s(device)
    spent_us = {
        event.key: float(event.self_device_time_total if device.type == "cuda" else event.self_cpu_time_total)
        for event in profiler.key_averages()
    }
    total_us = sum(spent_us.values()) or 1.0
    largest = sorted(spent_us.items(), key=lambda item: -item[1])[:3]
    return [(name, round(us / total_us, 3)) for name, us in largest]


def in_process(case: Case) -> dict[str, object]:
    """Return the figures of a case from a process of its own, or its last line of error text under `error`."""
    command = [sys.executable, "-m", "benchmarks.training.steps", "--case", f"{case.network},{case.variant}"]
    command += ["--batch", str(case.batch), "--steps", str(case.steps)]
    command += ["--profile"] if case.profile else []
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["killed"])[-1]}
    figures: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return figures


def default_batch(network: str, *, on_gpu: bool) -> int:
    """Return the number of samples per step where none is given."""
    size = network.replace("vae_plain", "vae").replace("peer", "vae")
    return BATCHES.get(size, 64) if on_gpu else 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the cases, each in a process of its own, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", help=f"default on a GPU {','.join(ON_GPU)}, else {','.join(ON_CPU)}")
    parser.add_argument("--variants", default="plain,compile,block", help=f"of {', '.join(VARIANTS)}")
    parser.add_argument("--batch", type=int, help="samples per step; default by network, 2 on a CPU")
    parser.add_argument("--steps", type=int, default=20, help=f"that are timed, after {WARM_UP_STEPS}")
    parser.add_argument("--profile", action="store_true", help="name the three largest costs of each case")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    on_gpu = torch.cuda.is_available()
    networks = options.networks.split(",") if options.networks else (ON_GPU if on_gpu else ON_CPU)
    pairs = [(network, variant) for network in networks for variant in options.variants.split(",")]
    cases = [
        Case(
            network=network,
            variant=variant,
            batch=options.batch or default_batch(network, on_gpu=on_gpu),
            steps=options.steps,
            profile=options.profile,
        )
        for network, variant in ([options.case.split(",")] if options.case else pairs)
    ]
    if options.case:
        print(json.dumps(measure(cases[0])))
        return
    results = []
    for case in cases:
        results.append({"network": case.network, "variant": case.variant, **in_process(case)})
        print(json.dumps(results[-1]), file=sys.stderr, flush=True)
    device = _device_name(torch.device("cuda" if on_gpu else "cpu"))
    facts = {"device": device, "torch": torch.__version__, "threads": torch.get_num_threads()}
    print(json.dumps(facts | {"cases": results}))


if __name__ == "__main__":
    main()
