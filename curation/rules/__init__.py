"""Rules that decide what is kept (GAIA appendix A.1): pure functions, one module per rule."""
