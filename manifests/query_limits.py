"""Limits of SQL queries unless the user gives others."""

__all__ = ["QUERY_MEMORY_GIB", "QUERY_TIMEOUT_S"]

QUERY_TIMEOUT_S = 60.0
"""Seconds that an SQL query may take unless more are given."""

QUERY_MEMORY_GIB = 1.5
"""Memory that an SQL query may take unless more is given, GiB."""
