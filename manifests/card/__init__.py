"""Card of a dataset for others: README.md with Hugging Face's metadata, and croissant.json."""
