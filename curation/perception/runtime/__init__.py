"""Runtimes that run networks from files."""
