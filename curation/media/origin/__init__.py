"""What a video file says of how it was made."""
