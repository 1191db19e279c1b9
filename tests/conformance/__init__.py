"""One suite per kind of plug-in, run against each implementation."""
