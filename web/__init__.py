"""Templates, static files and the one small renderer of the pages."""
