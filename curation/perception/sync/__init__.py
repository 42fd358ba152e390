"""Do lips and sound belong together: a small contrastive network on mouth measures and rows of Whisper tiny.en."""
