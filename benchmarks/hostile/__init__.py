"""Commands on datasets and run folders that a stranger spoiled: what they change, read, open and say."""
