"""torch.backends.mps: Apple's graphics processors, which are not used."""

def is_available() -> bool:
    """False."""
    return False


def is_built() -> bool:
    """False."""
    return False
