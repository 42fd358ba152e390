"""Training of the VAE: task, losses, data, report."""
