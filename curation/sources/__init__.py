"""Source videos: files, lists, addresses, known corpora, and the stretches and people to leave out."""
