"""Packing of small files of a dataset into large ones."""
