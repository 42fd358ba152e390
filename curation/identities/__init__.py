"""Who is who: the face tracks of all videos, grouped into persons."""
