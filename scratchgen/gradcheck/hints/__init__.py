"""Which mistake would make a gradient wrong in just this way."""
