"""Protocols of the paper's tables: which videos are generated from what, one YAML file each."""
