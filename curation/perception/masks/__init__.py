"""Classifiers of worn face masks."""
