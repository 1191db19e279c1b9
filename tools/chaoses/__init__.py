"""A production while everything around it fails, held against one that nothing disturbed."""
