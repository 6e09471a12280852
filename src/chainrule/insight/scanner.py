"""The first look at an expression: characters, tokens and what may follow what.

Python's parser would refuse the same texts, but in words for programmers and often at another place. Here a
fault is found where it is, and said so that it can be put right.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from typing import Any, Final, NamedTuple

from chainrule.insight.vocabulary import FUNCTIONS
from chainrule.insight.words import say

MOST_CHARACTERS: Final = 2000
MOST_NESTED: Final = 50

# What a hand used to Chinese or mathematical typesetting writes, and what is meant.
MEANT: Final = {
    "×": "*", "·": "*", "⋅": "*", "∙": "*", "•": "*", "∗": "*", "÷": "/", "∕": "/", "⁄": "/",
    "−": "-", "–": "-", "—": "-", "‐": "-", "、": ",", "。": ".", "【": "[", "】": "]", "〔": "(", "〕": ")",
    "²": "**2", "³": "**3", "√": "sqrt(…)", "∑": "sum(…)", "Σ": "sum(…)", "∏": "prod(…)", "π": "pi",
    "ᵀ": ".T", "⊤": ".T", "‖": "norm(…)", "∥": "norm(…)",
    "⟨": "dot(…)", "⟩": "dot(…)", "〈": "dot(…)", "〉": "dot(…)", "《": "dot(…)", "》": "dot(…)",
}  # fmt: skip


class ExpressionError(ValueError):
    """A fault in an expression or a value, with the text and the place; exit code 2 at the command line.

    >>> fault = ExpressionError("caret", "x^2", 1)
    >>> print(fault.report("en"))
    '^' is not a power here: write **, as in x**2
      x^2
       ^
    """

    def __init__(self, problem: str, text: str = "", place: int | None = None, **fields: Any) -> None:
        self.problem = problem
        self.text = text
        self.place = place
        self.fields = fields
        super().__init__(say("en", problem, **fields))

    def report(self, lang: str, width: int = 96) -> str:
        """One line that names the problem, and two that show the place."""
        fields = {k: say(lang, v.key, **v.fields) if isinstance(v, Word) else v for k, v in self.fields.items()}
        message = printable(say(lang, self.problem, **fields))
        if self.place is None:
            return message
        shown, before = excerpt(self.text, self.place, width)
        return f"{message}\n  {shown}\n  {' ' * columns(before)}^"


class Word:
    """A field of a message that is itself to be translated."""

    def __init__(self, key: str, **fields: Any) -> None:
        self.key = key
        self.fields = fields

    def __str__(self) -> str:
        return say("en", self.key, **self.fields)

    def __format__(self, how: str) -> str:
        return format(str(self), how)


def columns(text: str) -> int:
    """How many columns of a terminal ``text`` takes.

    >>> columns("x+1"), columns("梯度"), columns("v̄")
    (3, 4, 1)
    """
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def printable(text: str) -> str:
    """``text`` with one visible character for each that cannot be shown."""
    return "".join(char if char.isprintable() else " " if char.isspace() else "\ufffd" for char in text)


def excerpt(text: str, place: int, width: int) -> tuple[str, str]:
    """The part of ``text`` around ``place`` that fits, and what of it stands before the place."""
    start, end = 0, len(text)
    if columns(text) > width:
        start = max(0, place - width // 4)
        end = min(end, start + width // 2 - 2)  # every character may be two columns wide
    head = "…" if start else ""
    shown = head + printable(text[start:end]) + ("…" if end < len(text) else "")
    return shown, head + printable(text[start:place])


class Token(NamedTuple):
    """One word of an expression: a name, a number, an operator or a bracket."""

    kind: str
    text: str
    place: int


_TOKEN: Final = re.compile(
    r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[^\W\d]\w*)|(?P<op>\*\*|//|[-+*/%@.,:=()\[\]])"
)
_COMPARISON: Final = re.compile(r"[<>=!]=|[<>!]")
_REFUSED: Final = {"^": "caret", "|": "bars"}


def check_characters(text: str) -> None:
    """Raise ExpressionError for the first character that cannot stand in an expression or a value."""
    for place, char in enumerate(text):
        if char.isascii():
            continue
        plain = unicodedata.normalize("NFKC", char)
        meant = MEANT.get(char) or (plain if plain.isascii() and plain.isprintable() and plain.strip() else None)
        if meant is not None:
            raise ExpressionError("full-width", text, place, char=char, ascii=meant)
        if not char.isspace() and (plain != char or not char.isalpha()):
            raise ExpressionError("character", text, place, char=printable(char))


def tokens_of(text: str) -> list[Token]:
    """The words of ``text``; ExpressionError at the first character that begins none."""
    tokens = []
    place = 0
    while place < len(text):
        char = text[place]
        if char.isspace():
            place += 1
            continue
        compares = _COMPARISON.match(text, place)
        if compares:
            raise ExpressionError("comparison", text, place, char=compares.group())
        found = _TOKEN.match(text, place)
        if found is None:
            raise ExpressionError(_REFUSED.get(char, "character"), text, place, char=printable(char))
        token = Token(str(found.lastgroup), found.group(), place)
        if token.kind == "name" and keyword.iskeyword(token.text):
            raise ExpressionError("keyword", text, place, name=token.text)
        if token.text == "//":
            raise ExpressionError("floor-division", text, place)
        tokens.append(token)
        place = found.end()
    return tokens


CLOSES: Final = {")": "(", "]": "["}


class Order:
    """Checks what may follow what, token by token, with the brackets that are open."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.open: list[tuple[Token, str]] = []  # the bracket, and "call", "group" or "index"
        self.last: Token | None = None

    def fault(self, problem: str, token: Token, **fields: Any) -> ExpressionError:
        return ExpressionError(problem, self.text, token.place, token=token.text, **fields)

    @property
    def complete(self) -> bool:
        """Whether an operand has just ended."""
        return self.last is not None and (self.last.kind in ("name", "number") or self.last.text in CLOSES)

    @property
    def within(self) -> str:
        return self.open[-1][1] if self.open else "nothing"

    def take(self, token: Token) -> None:
        """Raise ExpressionError if ``token`` cannot stand here."""
        if self.last is not None and self.last.text == "." and token.kind != "name":
            raise self.fault("no-operand", token)
        if token.kind != "op":
            if self.complete:
                raise self._adjacent(token)
        elif token.text in "([":
            self._opens(token)
        elif token.text in CLOSES:
            self._closes(token)
        elif token.text in ",:=":
            self._separates(token)
        elif token.text not in "+-" and not self.complete:
            raise self.fault("no-operand", token)
        self.last = token

    def _adjacent(self, token: Token) -> ExpressionError:
        """The fault of an operand right after another."""
        assert self.last is not None
        last = self.last.text
        return self.fault("no-brackets" if last in FUNCTIONS else "no-operator", token, last=last)

    def _opens(self, token: Token) -> None:
        if self.complete and self.last is not None and token.text == "(":
            if self.last.kind != "name":
                raise self._adjacent(token)
            kind = "call"
        elif token.text == "[":
            if not self.complete:
                raise self.fault("list", token)
            kind = "index"
        else:
            kind = "group"
        self.open.append((token, kind))
        if len(self.open) > MOST_NESTED:
            raise self.fault("too-deep", token)

    def _closes(self, token: Token) -> None:
        if not self.open:
            raise self.fault("not-opened", token)
        opener, kind = self.open.pop()
        if opener.text != CLOSES[token.text]:
            raise self.fault("mismatch", token, opener=opener.text)
        if self.last is opener:
            if kind != "call":
                raise self.fault("empty-brackets", token)
        elif not self.complete and not (kind == "index" and self.last is not None and self.last.text == ":"):
            raise self.fault("no-operand", token)

    def _separates(self, token: Token) -> None:
        allowed = {",": ("call", "index"), ":": ("index",), "=": ("call",)}[token.text]
        if self.within not in allowed:
            raise self.fault({",": "comma", ":": "colon", "=": "equals"}[token.text], token)
        colon = self.last is not None and self.last.text in "[,:" and self.within == "index"
        if not self.complete and not colon:
            raise self.fault("no-operand", token)

    def end(self) -> None:
        """Raise ExpressionError if the expression cannot end here."""
        if self.last is None:
            raise ExpressionError("empty", self.text, 0)
        if not self.complete and self.last.text not in "([":
            raise ExpressionError("no-operand-end", self.text, self.last.place, token=self.last.text)
        if self.open:
            raise self.fault("not-closed", self.open[-1][0])


def check_order(text: str, tokens: list[Token]) -> None:
    """Raise ExpressionError at the first token that cannot stand where it does."""
    order = Order(text)
    for token in tokens:
        order.take(token)
    order.end()


def scan(text: str) -> tuple[str | None, str]:
    """Check ``text``; return the name on the left of a leading ``name =`` and the text with that blanked out.

    >>> scan("z = x**2")
    ('z', '    x**2')
    >>> scan("2x")
    Traceback (most recent call last):
    chainrule.insight.scanner.ExpressionError: an operator is missing before 'x': to multiply, write 2*x
    """
    if len(text) > MOST_CHARACTERS:
        raise ExpressionError("too-long", text, MOST_CHARACTERS, most=MOST_CHARACTERS)
    check_characters(text)
    tokens = tokens_of(text)
    if len(tokens) > 1 and tokens[0].kind == "name" and tokens[1].text == "=":
        if len(tokens) == 2:
            raise ExpressionError("empty", text, len(text))
        check_order(text, tokens[2:])
        start = tokens[2].place
        return tokens[0].text, " " * start + text[start:]
    check_order(text, tokens)
    return None, text
