"""Many talking videos at once: a list of jobs, what became of each, and the processes that make them."""
