"""What the explanations say, in English and in Chinese: every sentence once per language."""

from __future__ import annotations

import os
from typing import Any, Final

LANGUAGES: Final = ("en", "zh")


def language(wanted: str | None = None) -> str:
    """``wanted`` if given, else what the environment asks for: "zh" for any Chinese locale, "en" otherwise.

    >>> language("zh")
    'zh'
    """
    if wanted is not None:
        if wanted not in LANGUAGES:
            raise ValueError(f"lang must be one of {', '.join(LANGUAGES)}, not {wanted!r}")
        return wanted
    locale = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    return "zh" if locale.lower().startswith("zh") else "en"


def say(lang: str, key: str, **fields: Any) -> str:
    """The sentence ``key`` in ``lang``, with its fields filled in.

    >>> say("en", "one-step")
    '(one step)'
    """
    return TEXTS[key][LANGUAGES.index(lang)].format(**fields)


TEXTS: Final[dict[str, tuple[str, str]]] = {
    # The report: headings and columns
    "graph": ("Computational graph", "计算图"),
    "locals": ("Local derivatives", "局部导数"),
    "chain": ("Chain rule", "链式法则"),
    "reverse": ("Reverse accumulation", "反向累积"),
    "forward": ("Forward accumulation", "正向累积"),
    "gradients": ("Gradient and check", "梯度与核对"),
    "name": ("name", "名称"),
    "value": ("value", "值"),
    "shape": ("shape", "形状"),
    "operation": ("operation", "运算"),
    "derivative": ("derivative", "导数"),
    "jacobian": ("Jacobian", "雅可比"),
    "step": ("step", "步骤"),
    "product": ("shapes", "形状"),
    "saved": ("saved", "保存的内存"),
    "held": ("tangents", "切向量内存"),
    "seed": ("seed", "种子"),
    "gradient": ("gradient", "梯度"),
    "numeric": ("numeric", "数值微分"),
    "error": ("rel. error", "相对误差"),
    "scalar": ("scalar", "标量"),
    "variable": ("variable", "变量"),
    "constant": ("constant", "常量"),
    # The report: sentences
    "vectors": (
        "Vectors count as columns: from n numbers to m numbers the Jacobian is m×n.",
        "向量一律看作列向量：由 n 个数得到 m 个数，雅可比矩阵就是 m×n。",
    ),
    "matrices": (
        (
            "Vectors count as columns, a matrix as the column of its entries, row after row; from n numbers to m "
            "numbers the Jacobian is m×n."
        ),
        "向量一律看作列向量，矩阵按行展开成列向量；由 n 个数得到 m 个数，雅可比矩阵就是 m×n。",
    ),
    "sum-of-entries": (
        (
            "{y} has {n} entries, so the seed {seed} is all ones (a row, 1×{n}): what follows is the gradient of "
            "their sum."
        ),
        "{y} 有 {n} 个分量，因此种子 {seed} 取全 1 的行向量（1×{n}）：以下求的是各分量之和的梯度。",
    ),
    "chain-reverse": (
        "Reverse accumulation multiplies from the left, beginning at the result.",
        "反向累积：从结果一端开始，自左向右乘。",
    ),
    "chain-forward": (
        "Forward accumulation multiplies from the right, beginning at the input.",
        "正向累积：从输入一端开始，自右向左乘。",
    ),
    "paths": ("further paths: {more}", "另有 {more} 条路径"),
    "bar": (
        "{v} stands for ∂{y}/∂{plain}. Begin with {seed} and walk back from {y}{meet}.",
        "{v} 表示 ∂{y}/∂{plain}。由 {seed} 出发，从 {y} 沿计算图往回走{meet}。",
    ),
    "bar-sum": (
        "{v} is the derivative of the sum of {y} by {plain}. Begin with {seed} and walk back from {y}{meet}.",
        "{v} 表示 {y} 各分量之和对 {plain} 的导数。由 {seed} 出发，从 {y} 沿计算图往回走{meet}。",
    ),
    "meet": ("; where paths meet, add", "，路径汇合处相加"),
    "one-step": ("(one step)", "（一步即得）"),
    "dot": (
        (
            "{v} is the derivative of {plain} with respect to one chosen input number, whose own derivative is 1; "
            "that of every other input is 0."
        ),
        "{v} 表示 {plain} 对选定的一个输入分量的导数：该分量自身的导数取 1，其余输入取 0。",
    ),
    "pass": ("Pass {k} of {n}: {seed}", "第 {k} 遍（共 {n} 遍）：{seed}"),
    "other-passes": ("The other passes take the same steps:", "其余各遍步骤相同："),
    "not-run": (
        "Only {run} of the {n} passes were run; the other entries of the gradient come from one reverse pass.",
        "{n} 遍中只实际走了 {run} 遍；梯度的其余分量由一遍反向累积给出。",
    ),
    "passes-reverse": (
        "One pass back gives the {n} partial derivatives; forward accumulation would take {n} passes.",
        "往回走一遍就得到全部 {n} 个偏导数；正向累积则要走 {n} 遍。",
    ),
    "passes-reverse-1": (
        "One pass back. The values saved on the way forward stay in memory until their step is done.",
        "往回走一遍即可。前向计算时保存的值要一直留到用完为止。",
    ),
    "saved-reverse": (
        "The price is memory: what was saved on the way forward is held until its step is done.",
        "代价是内存：前向计算时保存的值要一直留到用完为止。",
    ),
    "passes-forward": (
        (
            "One pass gives the derivative with respect to one input number: {n} numbers take {n} passes. "
            "Backwards, one would do."
        ),
        "走一遍只得到对一个输入分量的导数：{n} 个分量要走 {n} 遍，而反向累积只要一遍。",
    ),
    "passes-forward-1": (
        "There is one input number, so one pass will do; only the current tangents are held.",
        "只有一个输入分量，走一遍即可；内存中只留当前的导数（切向量）。",
    ),
    "held-forward": (
        "In return no value has to be saved for later: only the current tangents are held.",
        "好处是不必保存中间值：内存中只留当前的导数（切向量）。",
    ),
    "check": (
        "Numeric: central differences (f(x+h) - f(x-h)) / 2h in float64, h ≈ {h:.1e}·max(1, |x|).",
        "数值微分：中心差分 (f(x+h) - f(x-h)) / 2h，用 float64 计算，h ≈ {h:.1e}·max(1, |x|)。",
    ),
    "sampled": ("{name}: {n} of {all} entries checked.", "{name}：抽查了 {all} 个分量中的 {n} 个。"),
    "kink": (
        "{name}: there is a kink here, with slope {left} on the left and {right} on the right; {taken} is taken.",
        "{name}：此处不可导，左导数为 {left}，右导数为 {right}，这里约定取 {taken}。",
    ),
    "at-kink": ("kink", "不可导"),
    "no-chain": ("There is one step only: its derivative is the answer already.", "只有一步运算，它的导数就是所求。"),
    "jump": ("{name}: the function jumps here and has no derivative.", "{name}：函数在此处有跳跃，不可导。"),
    "disagrees": (
        "{name}: the two do not agree; a step inside may have a kink or a tie here.",
        "{name}：两者不一致；中间某一步可能在此处不可导（如 max 中有相等的值）。",
    ),
    "no-derivative": ("the derivative cannot be computed here: {why}", "在此处无法求导：{why}"),
    "unchecked": (
        "{name}: not checked, the tape has not kept every constant.",
        "{name}：无法核对，计算图没有保存全部常量。",
    ),
    "not-finite": (
        "{name}: not a finite number here or right beside, so there is nothing to compare.",
        "{name}：在该点或其附近不是有限的数，无从核对。",
    ),
    "more-rows": ("… {n} more …", "……省略 {n} 行……"),
    # Faults in an expression or a value
    "shape-scalar": ("a number", "一个数"),
    "shape-vector": ("a vector of {n}", "长度为 {n} 的向量"),
    "shape-matrix": ("a {shape} matrix", " {shape} 矩阵"),
    "empty": ("the expression is empty", "表达式为空"),
    "too-long": ("the expression is too long: at most {most} characters", "表达式太长：最多 {most} 个字符"),
    "too-deep": ("the expression is nested too deeply", "表达式嵌套过深"),
    "full-width": ("'{char}' is not an ASCII character: write {ascii}", "“{char}”不是英文半角字符：请写成 {ascii}"),
    "caret": ("'^' is not a power here: write **, as in x**2", "这里不用 ^ 表示乘方：请写成 **，如 x**2"),
    "bars": (
        "'|' is not accepted: write abs(x), or norm(x) for a vector",
        "不接受 |：绝对值请写成 abs(x)，范数写成 norm(x)",
    ),
    "comparison": ("comparisons are not accepted: '{char}'", "不接受比较运算：{char}"),
    "character": ("'{char}' cannot stand in an expression", "表达式中不能出现“{char}”"),
    "floor-division": ("'//' is not accepted: write / to divide", "不接受 //：除法请写成 /"),
    "keyword": ("'{name}' is a reserved word: choose another name", "“{name}”是保留字：请换一个名字"),
    "dot-name": (
        "'.{name}' is not accepted: the one attribute is .T (the transpose)",
        "不接受“.{name}”：只支持 .T（转置）",
    ),
    "method": ("'.{name}' is not accepted: write {name}(…)", "不接受“.{name}”：请写成 {name}(…)"),
    "no-operand": ("something is missing before '{token}'", "“{token}”前面缺少内容"),
    "no-operand-end": ("the expression ends too early, after '{token}'", "表达式不完整：“{token}”后面缺少内容"),
    "no-operator": (
        "an operator is missing before '{token}': to multiply, write {last}*{token}",
        "“{token}”前面缺少运算符：相乘请写成 {last}*{token}",
    ),
    "no-brackets": (
        "'{last}' is a function: put its argument in brackets, as in {last}({token})",
        "“{last}”是函数：参数要放在括号里，如 {last}({token})",
    ),
    "empty-brackets": ("there is nothing between the brackets", "括号里没有内容"),
    "not-opened": ("'{token}' closes a bracket that was never opened", "“{token}”没有对应的左括号"),
    "not-closed": ("'{token}' is never closed", "“{token}”没有配对的右括号"),
    "mismatch": ("'{token}' does not match '{opener}'", "“{token}”与“{opener}”不配对"),
    "comma": ("a comma belongs between the arguments of a function", "逗号只用来分隔函数的参数"),
    "colon": ("':' belongs inside x[…]", "冒号只能用在 x[…] 里"),
    "equals": ("'=' belongs to dim=… inside a function", "等号只用于函数的 dim=…"),
    "list": (
        "'[' belongs after a name, as in x[0]: give vectors with --at x=1,2,3",
        "方括号只用来取分量，如 x[0]：向量请用 --at x=1,2,3 给出",
    ),
    "unreadable": ("this cannot be read", "此处无法识别"),
    "index": (
        "an index is a whole number or a range of them, as in x[0] or x[1:3]",
        "下标应为整数或范围，如 x[0] 或 x[1:3]",
    ),
    "unknown-function": ("there is no function '{name}'", "没有函数“{name}”"),
    "unknown-function-near": (
        "there is no function '{name}': did you mean {near}?",
        "没有函数“{name}”：是不是 {near}？",
    ),
    "not-a-function": (
        "'{name}' has a value and is no function: to multiply, write {name}*(…)",
        "“{name}”是变量，不是函数：相乘请写成 {name}*(…)",
    ),
    "function-alone": ("'{name}' is a function: write {name}(…)", "“{name}”是函数：请写成 {name}(…)"),
    "arguments": ("{name} takes {wanted} argument(s), not {given}", "{name} 需要 {wanted} 个参数，这里有 {given} 个"),
    "keyword-argument": ("{name} has no argument '{given}'{accepted}", "{name} 没有参数“{given}”{accepted}"),
    "accepted-dim": (": there is dim (or axis)", "：可用 dim（或 axis）"),
    "dim-number": ("dim must be a whole number", "dim 必须是整数"),
    "number-size": ("this number is too large", "这个数太大"),
    "call-what": ("only functions can be called", "只有函数才能调用"),
    "no-value": ("'{name}' has no value: add --at {name}=…", "“{name}”没有取值：请加上 --at {name}=…"),
    "no-value-near": (
        "'{name}' has no value: add --at {name}=…, or did you mean {near}?",
        "“{name}”没有取值：请加上 --at {name}=…，或者是想写 {near}？",
    ),
    "result-name": ("'{name}' cannot be both the result and a variable", "“{name}”不能既是结果又是变量"),
    "nothing": ("there is no variable to differentiate with respect to", "表达式里没有可以求导的变量"),
    "not-in-expression": (
        "--wrt {name}: the expression has no variable '{name}'{near}",
        "--wrt {name}：表达式里没有变量“{name}”{near}",
    ),
    "near": (": did you mean {near}?", "：是不是 {near}？"),
    "zero-division": ("division by zero", "除数为零"),
    "not-real": ("the result of this is not a real number", "结果不是实数"),
    "shapes": ("'{op}' does not fit these shapes: {a} and {b}", "“{op}”两边的形状不匹配：{a}与{b}"),
    "matmul-scalar": (
        "'{op}' needs vectors or matrices: write * to multiply by a number",
        "“{op}”用于向量和矩阵：与数相乘请写成 *",
    ),
    "too-large": ("the result would have {n} entries: too many to explain", "结果将有 {n} 个分量，太多了"),
    "needs-vectors": ("{name} needs vectors, not {shape}", "{name} 需要向量，而不是{shape}"),
    "needs-square": ("{name} needs a square matrix, not {shape}", "{name} 需要方阵，而不是{shape}"),
    "singular": ("this matrix is singular", "该矩阵是奇异的（不可逆）"),
    "dim-range": ("there is no dim {dim}: this is {shape}", "没有第 {dim} 维：这里是{shape}"),
    "index-range": ("there is nothing at this index: this is {shape}", "下标越界：这里是{shape}"),
    "fails": ("{name} cannot be computed here: {why}", "{name} 在此处无法计算：{why}"),
    "value-form": ("write NAME=VALUE, as in x=3", "请写成 名称=值，如 x=3"),
    "value-name": ("'{name}' is not a name", "“{name}”不是合法的名称"),
    "value-function": ("'{name}' is the name of a function", "“{name}”是函数名，不能用作变量名"),
    "value-empty": ("'{name}' has no value after '='", "等号后面缺少“{name}”的值"),
    "value-missing": ("a number is missing here", "此处缺少一个数"),
    "value-number": ("'{shown}' is not a number", "“{shown}”不是数"),
    "value-finite": ("'{shown}' is not a finite number", "“{shown}”不是有限的数"),
    "value-ragged": (
        "rows must be equally long: {n} here, {first} in the first",
        "各行的长度必须相同：这一行 {n} 个数，第一行 {first} 个",
    ),
    "value-nested": ("at most rows of numbers can be given", "最多只能给出由数组成的行"),
    "value-many": ("at most {most} numbers can be given", "最多只能给出 {most} 个数"),
    "value-twice": ("'{name}' is given twice", "“{name}”给了两次"),
    "value-spaces": ("separate numbers by commas", "数与数之间请用逗号分隔"),
    "no-expression": (
        "the expression is missing, as in: chainrule explain \"x**2\" --at x=3",
        "缺少表达式，例如：chainrule explain \"x**2\" --at x=3",
    ),
    "two-expressions": (
        "there are two expressions: put the expression in quotes",
        "出现了两个表达式：请给表达式加上引号",
    ),
}
