"""What every blob back-end must do; a back-end's own file only makes a fresh one."""
