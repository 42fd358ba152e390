"""Perception models: images and audio in, numbers out. One module per model, one Protocol per kind."""
