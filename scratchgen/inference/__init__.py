"""Networks outside of training: applied to data of any length, and prepared for embedding."""
