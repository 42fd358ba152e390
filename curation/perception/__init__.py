"""Perception models: pictures and sound in, numbers out. One module per model, one Protocol per kind."""
