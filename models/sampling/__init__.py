"""Sampling of diffusion models: SDE, solvers, guidance, editing."""
