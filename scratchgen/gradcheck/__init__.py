"""The gradient checker: whether a hand-written backward pass is the derivative of its forward."""
