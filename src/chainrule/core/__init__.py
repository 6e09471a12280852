"""The engine without tensors: primitives, what their kinds derive, and the one reverse sweep."""
