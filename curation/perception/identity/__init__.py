"""Face descriptors, which distinguish people."""
