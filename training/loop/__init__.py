"""Training loop: steps, checkpoints, several processes, metrics."""
