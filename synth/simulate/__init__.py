"""Real dynamics."""
