"""The rules: pure, synchronous, without clock, chance or input and output."""
