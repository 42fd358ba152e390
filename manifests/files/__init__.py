"""Files of a dataset: tables, media archives, and the journal that replaces several at once."""
