"""All SQL and nothing else: rows in, values out."""
