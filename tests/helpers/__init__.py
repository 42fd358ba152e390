"""Made videos, datasets, servers and tasks that tests share."""
