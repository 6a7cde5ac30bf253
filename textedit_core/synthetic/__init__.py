"""A synthetic world of CC0 faces with ground truth for every attribute."""
