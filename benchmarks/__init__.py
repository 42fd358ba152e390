"""Measurements of speed, memory and accuracy; run one from the root of the checkout: `python -m benchmarks.speed`."""
