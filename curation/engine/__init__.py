"""Where videos are curated: in this process, or on a pool of Ray actors. Both give the same records."""
