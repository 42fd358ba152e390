"""Clips cut out of a decoded video: crop, resize, encode."""
