"""An invisible mark of 48 bits in the pictures of a generated video: embedding, and finding it again."""
