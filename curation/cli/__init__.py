"""Command `gaia-curate`: parsing, one library call, exit codes."""
