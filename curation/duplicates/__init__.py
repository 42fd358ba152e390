"""Near-duplicate videos: uploads of one recording that were re-encoded, cropped, re-timed or mirrored."""
