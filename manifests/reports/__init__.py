"""Reports on a dataset: statistics, explanations, queries, validation."""
