"""Division of the clips into train, val and test, so that nobody is on two sides."""
