"""Columns of the five tables, each with type, unit, shape and meaning."""
