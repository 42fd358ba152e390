"""Figures and tables of the pages in `benchmarks/results` and `docs/`."""
