"""Experiments of the paper's tables, one YAML file each."""
