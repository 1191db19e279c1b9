"""Bytes at rest: segments of frames, and blob back-ends by URL."""
