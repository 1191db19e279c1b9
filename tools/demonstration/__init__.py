"""The demonstration: a real production on this machine, with agents that are really killed."""
