"""Programs around the system: demo, tests, benches, packing."""
