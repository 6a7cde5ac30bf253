"""Training losses: one small class each, composed by `combine`."""
