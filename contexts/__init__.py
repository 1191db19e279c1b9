"""The context model: what a starting machine is told to become."""
