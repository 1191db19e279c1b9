"""Measures what the server costs, as ratios against a bare server in the same run."""
