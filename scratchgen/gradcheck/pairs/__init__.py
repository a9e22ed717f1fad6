"""What is checked: a forward and a backward pass, as functions of named arrays."""
