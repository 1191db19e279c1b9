"""The Windfall server: cuts productions into leases, takes frames in, settles and merges them."""
