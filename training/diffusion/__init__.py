"""Training of the motion diffusion model: task, loss, data, report."""
