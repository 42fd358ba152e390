"""Execution of a run: units of work, their schedule, and executors (this process, or a pool of Ray actors)."""
