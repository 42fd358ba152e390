"""Columns of the tables, each with type, unit, shape and meaning."""
