"""What the level contamination takes, and what it catches."""
