"""Head pose models and the angles they measure."""
