"""What operators need: whether all is well, what is not, who is told, and backups."""
