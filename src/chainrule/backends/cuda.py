"""torch.backends.cuda: CUDA, which chainrule is not built with."""

def is_built() -> bool:
    """False."""
    return False
