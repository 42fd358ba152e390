"""Videos whose mouth follows speech, and all else another video: editing and dubbing (GAIA appendix D.2)."""
