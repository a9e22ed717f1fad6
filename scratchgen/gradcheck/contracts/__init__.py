"""What every backward pass must keep, whatever it is the derivative of."""
