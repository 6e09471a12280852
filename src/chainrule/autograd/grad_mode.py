"""torch.autograd.grad_mode: the modes by the name of their module."""

from chainrule.eager.modes import enable_grad, inference_mode, no_grad, set_grad_enabled

__all__ = ["enable_grad", "inference_mode", "no_grad", "set_grad_enabled"]
