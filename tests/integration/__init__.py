"""Several parts together, in one process."""
