"""A layer, a model or two functions, as a forward and a backward pass over named arrays."""
