"""Decision on a video: evidence in, tracks, spans and clips out; pure functions."""
