"""Trainers that read the datasets made by `curation` (GAIA section 4 and appendix B)."""
