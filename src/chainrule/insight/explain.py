"""`explain`: how the derivatives of a recorded tensor come about, step by step."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.eager.tensor import Tensor
from chainrule.insight.blocks import as_html, as_text
from chainrule.insight.evaluate import Evaluation
from chainrule.insight.findings import Findings, findings_of
from chainrule.insight.numeric import Check
from chainrule.insight.report import blocks
from chainrule.insight.sweeps import Local, Move
from chainrule.insight.trace import Known, Step, Trace, Value, trace
from chainrule.insight.words import language

MODES = ("reverse", "forward")


class Explanation:
    """What `explain` found; ``print`` shows it as text, a notebook as HTML.

    ``value`` is the result, ``steps`` the operations in order, ``locals`` their derivatives, ``moves`` the lines
    of the sweep (of the first pass, forwards); ``gradients`` and ``checks`` go by the names of the inputs.
    """

    def __init__(self, findings: Findings, lang: str) -> None:
        self.findings = findings
        self.lang = lang

    @property
    def mode(self) -> str:
        """ "reverse" or "forward"."""
        return self.findings.mode

    @property
    def value(self) -> np.ndarray:
        """The result."""
        return np.asarray(self.findings.trace.result.array)

    @property
    def steps(self) -> list[Step]:
        """The operations, in the order in which they were computed."""
        return self.findings.trace.steps

    @property
    def locals(self) -> list[Local]:
        """The local derivatives, step by step."""
        return [local for locals_ in self.findings.by_step.values() for local in locals_]

    @property
    def moves(self) -> list[Move]:
        """The lines of the sweep; forwards, those of the first pass."""
        return self.findings.moves if self.mode == "reverse" else self.findings.passes[0].moves

    @property
    def gradients(self) -> dict[str, np.ndarray]:
        """The gradient (of the sum of the result's entries) by each input."""
        return {x.name: g for x, g in self.findings.gradients.items()}

    @property
    def checks(self) -> dict[str, Check]:
        """The comparison with numeric differentiation, for each input where there could be one."""
        return {x.name: found for x, found in self.findings.checks.items()}

    def text(self, width: int = 100) -> str:
        """The report as plain text in lines of at most ``width`` columns."""
        return "\n".join(as_text(blocks(self.findings, self.lang), width))

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return as_html(blocks(self.findings, self.lang))

    def __repr__(self) -> str:
        n = len(self.steps)
        return f"<Explanation of {self.findings.trace.result.name}: {n} step{'s' * (n != 1)}, {self.mode}>"


def explain(
    y: Tensor,
    *,
    mode: str = "reverse",
    lang: str | None = None,
    wrt: Tensor | Iterable[Tensor] | Mapping[str, Tensor] | None = None,
    name: str | None = None,
) -> Explanation:
    """Explain how the derivatives of ``y`` come about: the graph, each step's derivative, the chain rule, the sweep.

    ``mode`` is "reverse" or "forward"; ``lang`` "en" or "zh" (else the environment decides); ``wrt`` the leaves
    to differentiate by (else all), as a dict to give them names. Other names are those of the caller's variables.
    Call it before ``backward()``, which frees the graph. Raises ValueError if nothing is recorded.

    >>> import chainrule as cr
    >>> x = cr.tensor(3.0, requires_grad=True)
    >>> y = x**2
    >>> explain(y, lang="en").gradients
    {'x': array(6., dtype=float32)}
    """
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}, not {mode!r}")
    lang = language(lang)
    frame = sys._getframe(1)
    named = tensors_named({**frame.f_globals, **frame.f_locals})
    given = dict(wrt) if isinstance(wrt, Mapping) else {}
    leaves = {**{tensor: n for n, tensor in named.items()}, **{tensor: n for n, tensor in given.items()}}
    result = name or next((n for n, tensor in named.items() if tensor is y), None) or free_name(leaves.values())
    arrays = {id(tensor.array): n for n, tensor in named.items()}
    found = trace(y, result, Known(leaves=leaves, arrays=arrays))
    targets = list(given.values()) if given else [wrt] if isinstance(wrt, Tensor) else list(wrt or ())
    return Explanation(findings_of(found, inputs_of(found, targets), mode), lang)


def explain_expression(evaluation: Evaluation, *, mode: str = "reverse", lang: str | None = None) -> Explanation:
    """Explain an evaluated expression; here all values are known, and constants go by what was written."""
    expression = evaluation.expression
    known = Known(
        leaves={tensor: name for name, tensor in evaluation.inputs.items()},
        values=evaluation.values,
        constants=evaluation.constants,
    )
    result = expression.result or free_name(expression.variables)
    found = trace(evaluation.result, result, known)
    order = list(expression.variables)
    found.inputs.sort(key=lambda x: order.index(x.name))
    constants = {x.name: x for x in found.constants}
    for name, tensor in evaluation.inputs.items():  # also those inside of a constant, as x in (2*x)*w
        if name not in evaluation.wrt and name not in constants:
            constants[name] = Value(name, "constant", tensor.array, tuple(tensor.array.shape))
    found.constants = [constants[name] for name in order if name in constants]
    return Explanation(findings_of(found, inputs_of(found, ()), mode, expression.body), language(lang))


def inputs_of(found: Trace, targets: Sequence[Any]) -> list[Value]:
    """The inputs that were asked for, all if none were. ValueError for one that the result does not depend on."""
    if not targets:
        return list(found.inputs)
    by_leaf = {x.edge: x for x in found.inputs}
    for target in targets:
        if not isinstance(target, Tensor):
            raise TypeError(f"wrt takes tensors, not {type(target).__name__}")
        if target not in by_leaf:
            raise ValueError(
                "wrt: the result does not depend on this tensor, or it is no leaf with requires_grad=True: "
                f"{' '.join(repr(target).split())}"
            )
    return [by_leaf[target] for target in targets]


def tensors_named(variables: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors among some variables; of several names for one, the first that is not private."""
    found: dict[str, Tensor] = {}
    seen: set[Tensor] = set()
    for name, value in reversed(list(variables.items())):
        if isinstance(value, Tensor) and not name.startswith("_") and value not in seen:
            seen.add(value)
            found[name] = value
    return found


def free_name(taken: Iterable[str]) -> str:
    """A name for the result that no variable has."""
    used = set(taken)
    return next(name for name in ("y", "z", "f", "g", "h", "result", "result_", "result__") if name not in used)
