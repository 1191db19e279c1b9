"""What gets in when some hosts cheat: the real rules on many hosts, beside those of BOINC."""
