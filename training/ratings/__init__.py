"""Ratings of videos by people (section 5.1): the page that they rate on, and the table of what they said."""
