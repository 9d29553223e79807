"""Laws of inputs, and sampling from them."""
