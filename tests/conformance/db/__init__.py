"""What every database must do, run against each of them."""
