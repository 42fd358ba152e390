"""Face descriptors that tell people apart."""
