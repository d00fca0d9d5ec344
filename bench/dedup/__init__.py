"""Near duplicates at scale, and other tools on the same questions."""
