"""Variational autoencoder of GAIA (section 4.1): appearance and motion of a face, disentangled."""
