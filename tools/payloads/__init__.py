"""Reference payloads: each folder is a bundle that runs by itself on any host."""
