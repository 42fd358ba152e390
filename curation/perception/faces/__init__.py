"""Face detectors and landmark models."""
