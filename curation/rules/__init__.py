"""The filtration rules (GAIA appendix A.1): pure functions, one module per rule."""
