"""Training of the embedded mask network: drawn masks on real faces; not part of the wheel."""
