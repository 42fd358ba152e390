"""Motion diffusion model of GAIA (section 4.2): motion latents from speech."""
