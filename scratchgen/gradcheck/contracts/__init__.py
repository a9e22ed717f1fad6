"""What no derivative shows: exact questions to a forward and a backward pass."""
