"""Decision on a video: from its evidence to tracks, spans and clips; pure functions."""
