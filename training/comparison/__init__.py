"""Comparison of systems by their result videos: matching with the truth, measuring, the paper's tables (section 5)."""
