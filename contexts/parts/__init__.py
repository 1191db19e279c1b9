"""The parts of a context: one small file each, which names its part `PART`."""
