"""Speech processing (GAIA appendix A.2): loudness, denoising, features."""
