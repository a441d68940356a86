"""Formulas: the part of TeX that lessons are written in, as MathML, which browsers set without any script.

JupyterLab sets the same formulas with MathJax, two megabytes of script for a handful of lines.
"""

import re
from collections.abc import Iterator
from html import escape

GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η", "theta": "θ",
    "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ",
    "chi": "χ", "psi": "ψ", "omega": "ω", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Sigma": "Σ",
    "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω",
}  # fmt: skip
OPERATORS = {
    "cdot": "·", "times": "×", "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "ne": "≠", "neq": "≠", "approx": "≈",
    "sim": "∼", "propto": "∝", "pm": "±", "in": "∈", "notin": "∉", "subset": "⊂", "cap": "∩", "cup": "∪", "odot": "⊙",
    "to": "→", "rightarrow": "→", "sum": "∑", "prod": "∏", "int": "∫", "partial": "∂", "nabla": "∇", "infty": "∞",
    "dots": "…", "ldots": "…", "cdots": "⋯", "mid": "∣", "lVert": "‖", "rVert": "‖", "lvert": "|", "rvert": "|",
    "langle": "⟨", "rangle": "⟩", "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉", "{": "{", "}": "}",
    "|": "‖", "%": "%", "ast": "∗", "star": "⋆", "top": "⊤", "circ": "∘", "wedge": "∧", "vee": "∨", "neg": "¬",
}  # fmt: skip
FUNCTIONS = {"exp", "log", "ln", "min", "max", "arg", "argmin", "argmax", "sin", "cos", "tanh", "softmax", "det", "Pr"}
SPACES = {",": 0.17, ":": 0.22, ";": 0.28, " ": 0.33, "quad": 1, "qquad": 2, "!": -0.17}  # em
SIZES = {"big": 1.2, "Big": 1.8, "bigg": 2.4, "Bigg": 3}  # em
ACCENTS = {"hat": "^", "bar": "‾", "tilde": "~", "vec": "→", "dot": "˙", "overline": "‾"}
FACES = {"mathrm": "normal", "mathbf": "bold", "mathcal": "script", "mathbb": "double-struck", "operatorname": "normal"}
LIMITS = {"sum", "prod", "min", "max", "argmin", "argmax"}  # in a line of their own these take scripts below and above
TOKEN = re.compile(r"\\(?P<command>[a-zA-Z]+|.)|(?P<number>\d+(?:\.\d+)?)|(?P<sign>\S)", re.DOTALL)


def mathml(tex: str, *, display: bool = False) -> str:
    """A formula as a ``<math>`` element that carries its TeX along; ``display`` gives it a line of its own.

    Raises ``ValueError`` for a command that is not known here and for braces that do not match.
    """
    parser = _Parser(tex, display)
    row = parser.row(until=None)
    block = ' display="block"' if display else ""
    source = f'<annotation encoding="application/x-tex">{escape(tex.strip())}</annotation>'
    return f"<math{block}><semantics><mrow>{row}</mrow>{source}</semantics></math>"


class _Parser:
    """Reads a formula from left to right; each method returns the MathML of what it has read."""

    def __init__(self, tex: str, display: bool) -> None:
        self._tex, self._display = tex, display
        matches = [*TOKEN.finditer(tex)]
        self._tokens = [(match.lastgroup or "", match[match.lastgroup or 0]) for match in matches]
        self._ends = [match.end() for match in matches]
        self._place = 0

    def row(self, until: tuple[str, str] | None) -> str:
        """All up to a token, which is taken as well; to the end of the formula without one."""
        return "".join(self._parts(until))

    def _parts(self, until: tuple[str, str] | None) -> Iterator[str]:
        while self._next != until:
            if self._next is None or self._next == ("sign", "}"):
                raise ValueError(f"the braces of the formula {self._tex!r} do not match")
            yield self._scripted()
        self._place += until is not None

    @property
    def _next(self) -> tuple[str, str] | None:
        return self._tokens[self._place] if self._place < len(self._tokens) else None

    def _take(self) -> tuple[str, str]:
        token = self._next
        if token is None:
            raise ValueError(f"the formula {self._tex!r} ends too early")
        self._place += 1
        return token

    def _scripted(self) -> str:
        """A thing with what stands below and above it."""
        start = self._next
        base = self._thing()
        scripts = {}
        while self._next in (("sign", "_"), ("sign", "^")):
            _, sign = self._take()
            scripts[sign] = self._thing()
        stacked = self._display and start is not None and start[0] == "command" and start[1] in LIMITS
        sub, sup, both = ("munder", "mover", "munderover") if stacked else ("msub", "msup", "msubsup")
        if len(scripts) == 2:
            base = f"<{both}>{base}{scripts['_']}{scripts['^']}</{both}>"
        elif scripts:
            ((sign, script),) = scripts.items()
            tag = sub if sign == "_" else sup
            base = f"<{tag}>{base}{script}</{tag}>"
        return base + (self._gap() if start is not None and start[0] == "command" and start[1] in FUNCTIONS else "")

    def _gap(self) -> str:
        """A function's name keeps clear of an argument that no bracket sets apart."""
        after = self._next
        opens = (
            after is None or (after[0] == "sign" and not after[1].isalpha()) or after[1] in {"left", *SIZES, *SPACES}
        )
        return "" if opens else _space(SPACES[","])

    def _thing(self) -> str:
        """One letter, number, sign, command or group in braces."""
        kind, text = self._take()
        if kind == "number":
            return f"<mn>{text}</mn>"
        if kind == "command":
            return self._command(text)
        if text == "{":
            return f"<mrow>{self.row(until=('sign', '}'))}</mrow>"
        if text.isalpha():
            return f"<mi>{text}</mi>"
        return f"<mo{FENCE if text in '|()[]' else ''}>{escape({'-': '−', '*': '∗'}.get(text, text))}</mo>"

    def _command(self, name: str) -> str:
        if name in GREEK:
            return f"<mi>{GREEK[name]}</mi>"
        if name in OPERATORS:
            return f"<mo{FENCE if name[-4:] in ('Vert', 'vert') else ''}>{OPERATORS[name]}</mo>"
        if name in FUNCTIONS:
            return f"<mi>{name}</mi>"
        if name in SPACES:
            return _space(SPACES[name])
        if name in SIZES:
            return f'<mo fence="true" stretchy="true" minsize="{SIZES[name]}em">{self._delimiter()}</mo>'
        if name == "left":
            return self._fenced()
        if name == "frac":
            return f"<mfrac>{self._thing()}{self._thing()}</mfrac>"
        if name == "sqrt":
            return f"<msqrt>{self._thing()}</msqrt>"
        if name in ACCENTS:
            return f'<mover accent="true">{self._thing()}<mo stretchy="false">{ACCENTS[name]}</mo></mover>'
        if name == "text":
            return f"<mtext>{self._words()}</mtext>"
        if name in FACES:
            return f'<mi mathvariant="{FACES[name]}">{self._words()}</mi>'
        raise ValueError(
            f"the formula {self._tex!r} has \\{name}, which is not among the commands of website/mathml.py"
        )

    def _fenced(self) -> str:
        """What stands between ``\\left`` and ``\\right``, with brackets as tall as it is."""
        left = self._delimiter()
        inside = self.row(until=("command", "right"))
        right = self._delimiter()
        fences = [f'<mo fence="true" stretchy="true">{sign}</mo>' for sign in (left, right)]
        return f"<mrow>{fences[0]}{inside}{fences[1]}</mrow>"

    def _delimiter(self) -> str:
        kind, text = self._take()
        if kind == "command" and text in OPERATORS:
            return OPERATORS[text]
        return "" if text == "." else escape(text)

    def _words(self) -> str:
        """The plain letters of a group, with their spaces; of a single sign that sign."""
        if self._next != ("sign", "{"):
            return escape(self._take()[1])
        start = self._ends[self._place]
        while self._take() != ("sign", "}"):
            pass
        return escape(self._tex[start : self._ends[self._place - 1] - 1])


FENCE = ' stretchy="false"'  # a bracket that was not asked to grow


def _space(width: float) -> str:
    return f'<mspace width="{width}em"/>'
