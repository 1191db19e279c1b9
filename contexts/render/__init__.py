"""What a context becomes for each kind of machine: pure functions from a document to files."""
