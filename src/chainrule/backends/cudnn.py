"""torch.backends.cudnn: cuDNN, which is not there."""

enabled: bool = True
benchmark: bool = False
deterministic: bool = False


def is_available() -> bool:
    """False."""
    return False
