"""The command line: what can be typed behind `scratchgen`, and what each command then does."""
