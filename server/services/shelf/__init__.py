"""Contexts on the server: kept in revisions, shared, read before all may use them, handed out."""
