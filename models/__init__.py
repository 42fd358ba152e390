"""The networks of GAIA: the VAE, the motion diffusion model and their samplers (GAIA section 4)."""
