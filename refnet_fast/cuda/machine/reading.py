"""PTX read: what a module declares, and the instructions of its kernel one after the other, calls written out in their place."""

import re

import numpy as np

from refnet_fast.cuda.machine.errors import MachineError
from refnet_fast.cuda.machine.operands import Address, Instruction, Kernel, Number, Register, Several, Symbol, Variable

WIDTHS = {"8": 1, "16": 2, "32": 4, "64": 8}
LINES_APART = re.compile(r"^\s*\.(version|target|address_size|loc|file)\b.*$", re.MULTILINE)
TOKEN = re.compile(
    r"""\s*(?: (?P<string>"[^"]*") | (?P<float>0[fF][0-9a-fA-F]{8}(?![0-9a-fA-F]) | 0[dD][0-9a-fA-F]{16})
    | (?P<number>0[xX][0-9a-fA-F]+U? | \d+U?) | (?P<word>[%$A-Za-z_.][\w.$%]*(?:::[\w.]+)*) | (?P<mark>[{}()\[\],;:=+\-|!@<>]) )""",
    re.VERBOSE,
)
LINKAGE = (".visible", ".extern", ".weak", ".common")
SPACES = (".global", ".const", ".shared", ".local", ".param")


def tokens_of(text):
    """The tokens of PTX without its comments, and what stands on lines of their own."""
    if ".address_size 64" not in text:
        raise MachineError("PTX of 64-bit addresses is needed: `.address_size 64` is not there.")
    text = re.sub(r"/\*.*?\*/", " ", re.sub(r"//[^\n]*", "", text), flags=re.DOTALL)
    text = LINES_APART.sub("", text)
    tokens, at = [], 0
    text = text.rstrip()
    while at < len(text):
        found = TOKEN.match(text, at)
        if found is None:
            raise MachineError(f"PTX that is not understood: {text[at : at + 60]!r}.")
        tokens.append(found.group().strip())
        at = found.end()
    return tokens


def read(text):
    """The Kernel that a module of PTX holds; there must be one.

    Raises:
        MachineError: something that is not understood.
    """
    return Reader(tokens_of(text)).kernel()


class Reader:
    """Goes through the tokens of a module."""

    def __init__(self, tokens):
        self.tokens, self.at = tokens, 0
        self.functions, self.entries, self.variables = {}, [], []
        self.registers, self.instructions, self.labels, self.inlined = {}, [], {}, 0

    # ---- tokens

    def next(self):
        self.at += 1
        return self.tokens[self.at - 1]

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, *wanted):
        """The next token, if it is one of those; None otherwise."""
        return self.next() if self.peek() in wanted else None

    def need(self, wanted):
        token = self.next()
        if token != wanted:
            around = " ".join(self.tokens[max(0, self.at - 12) : self.at + 4])
            raise MachineError(f"PTX that is not understood: {wanted!r} was expected, not {token!r}, in {around!r}.")

    def skip_block(self):
        """Goes behind the brace that closes the one that is next."""
        self.need("{")
        depth = 1
        while depth:
            depth += {"{": 1, "}": -1}.get(self.next(), 0)

    # ---- a module

    def kernel(self):
        """Reads the module; the kernel in it."""
        while self.peek():
            while self.take(*LINKAGE):
                pass
            token = self.peek()
            if token in (".entry", ".func"):
                self._function()
            elif token in SPACES:
                self.variables += self._variables({})
            elif token == ".pragma":
                self._statement()
            else:
                raise MachineError(f"PTX that is not understood: {' '.join(self.tokens[self.at : self.at + 8])!r}.")
        if len(self.entries) != 1:
            raise MachineError(f"one kernel is needed in a module, there are {len(self.entries)}.")
        name, parameters, body = self.entries[0]
        scope = {p.name: p.name for p in parameters}
        self.at = body
        self._body([scope], None)
        return Kernel(name, parameters, self.variables, self.registers, self.instructions, self.labels)

    def _function(self):
        entry = self.next() == ".entry"
        results = [] if entry or self.peek() != "(" else self._parameters()
        name = self.next()
        parameters = self._parameters() if self.peek() == "(" else []
        while self.peek() not in ("{", ";"):
            self.next()  # what a launch may ask for: .maxntid and the like
        if self.take(";"):
            return
        if entry:
            self.entries.append((name, parameters, self.at))
        else:
            self.functions[name] = results, parameters, self.at
        self.skip_block()

    def _parameters(self):
        self.need("(")
        found = []
        while not self.take(")"):
            found += self._variables({}, several=False)
            self.take(",")
        return found

    def _variables(self, scope, several=True, prefix=""):
        """The variables that a declaration names, which `scope` gets under their names."""
        space, align, width = self.next()[1:], None, None
        found = []
        while width is None:
            token = self.next()
            if token == ".align":
                align = int(self.next())
            elif token == ".ptr":
                while self.peek() in SPACES:
                    self.next()
            else:
                kind = re.fullmatch(r"\.[busf](8|16|32|64)", token)
                if kind is None:
                    raise MachineError(f"a variable of the kind {token!r} is not understood.")
                width = WIDTHS[kind[1]]
        while True:
            name, count, data = self.next(), 1, None
            while self.take("["):
                count *= 0 if self.peek() == "]" else int(self.next(), 0)
                self.need("]")
            if self.take("="):
                data = self._data(width)
            found.append(Variable(prefix + name, space, align or width, width * count, data))
            scope[name] = prefix + name
            if not several:
                return found
            if self.take(";"):
                return found
            self.need(",")

    def _data(self, width):
        closing, numbers = ["}"] if self.take("{") else [";"], []
        while self.peek() not in closing:
            sign = -1 if self.take("-") else 1
            number = Number(self.next())
            numbers.append(sign * int(number.text, 0) if number.text[:2].lower() not in ("0f", "0d") else number)
            self.take(",")
        if closing == ["}"]:
            self.need("}")
        return b"".join(
            (n % 2 ** (8 * width)).to_bytes(width, "little")
            if isinstance(n, int)
            else n.value(np.dtype(f"f{width}")).tobytes()
            for n in numbers
        )

    # ---- a body

    def _body(self, scopes, end):
        """Reads the instructions of a body; `end` is the label behind a call that it is written out for, None in a kernel."""
        prefix = "" if end is None else f"{end}:"
        self.need("{")
        depth = 1
        while depth:
            token = self.peek()
            if token == "{":
                self.next()
                scopes.append({})
                depth += 1
            elif token == "}":
                self.next()
                scopes.pop() if depth > 1 else None
                depth -= 1
            elif token == ".reg":
                self._registers(scopes[-1], f"{prefix}{len(self.registers)}:" if depth > 1 else prefix)
            elif token in SPACES:
                unique = f"{prefix}{len(self.instructions)}:" if depth > 1 else prefix
                self.variables += self._variables(scopes[-1], prefix=unique)
            elif token == ".pragma":
                self._statement()
            elif self.tokens[self.at + 1] == ":":
                self.labels[prefix + self.next()] = len(self.instructions)
                self.next()
            else:
                self._instruction(scopes, prefix, end)

    def _registers(self, scope, prefix):
        self.next()
        kind = self.next()
        while True:
            name = self.next()
            if self.take("<"):
                names = [f"{name}{n}" for n in range(int(self.next()))]
                self.need(">")
            else:
                names = [name]
            for made in names:
                scope[made] = prefix + made
                self.registers[prefix + made] = kind[1:]
            if self.take(";"):
                return
            self.need(",")

    def _statement(self):
        """The tokens up to the next semicolon."""
        found = []
        while not self.take(";"):
            found.append(self.next())
        return found

    def _instruction(self, scopes, prefix, end):
        guard = None
        began = self.at
        if self.take("@"):
            negated = self.take("!") is not None
            guard = Register(resolved(self.next(), scopes), negated)
        words = tuple(self.next().split("."))
        if words[0] == "call":
            self._call(scopes, guard)
            return
        jumps = words[0] == "bra"
        operands = []
        while not self.take(";"):
            operands.append(prefix + self.next() if jumps else self._operand(scopes))
            self.take(",")
        text = " ".join(self.tokens[began : self.at - 1])
        if words[0] == "ret" and end is not None:
            words, operands = ("bra",), [end]
        self.instructions.append(Instruction(words, tuple(operands), guard, text))

    def _operand(self, scopes):
        if self.take("{"):
            parts = []
            while not self.take("}"):
                parts.append(self._operand(scopes))
                self.take(",")
            return Several(tuple(parts))
        if self.take("["):
            base = self._operand(scopes)
            offset = 0
            if isinstance(base, Symbol):
                base, offset = Symbol(base.name), base.offset
            elif isinstance(base, Register):
                offset = self._offset()
            self.need("]")
            return Address(base, offset)
        if self.take("!"):
            return Register(resolved(self.next(), scopes), True)
        if self.take("-"):
            return Number("-" + self.next())
        token = self.next()
        if token == "_":
            return None
        if token[0].isdigit():
            return Number(token)
        name = resolved(token, scopes)
        if name not in self.registers:
            return Symbol(name, self._offset())
        if self.take("|"):
            return Several((Register(name), self._operand(scopes)))
        return Register(name)

    def _offset(self):
        offset = 0
        while self.peek() in ("+", "-"):
            sign = 1 if self.next() == "+" else -1
            while self.take("-"):
                sign = -sign
            offset += sign * int(self.next(), 0)
        return offset

    # ---- calls

    def _call(self, scopes, guard):
        """Writes the body of a function down in the place of a call: its parameters are the caller's variables."""
        if guard is not None:
            raise MachineError("a call under a condition is not understood.")
        lists, name = [], None
        while not self.take(";"):
            if self.take("("):
                names = []
                while not self.take(")"):
                    names.append(resolved(self.next(), scopes))
                    self.take(",")
                lists.append(names)
            else:
                token = self.next()
                name = token if token != "," else name
            self.take(",")
        if name not in self.functions:
            raise MachineError(f"the function {name} is called and not in the module.")
        results, parameters, body = self.functions[name]
        given = [x for names in lists for x in names]
        scope = {p.name: theirs for p, theirs in zip([*results, *parameters], given, strict=True)}
        self.inlined += 1
        end, back = f"{name}#{self.inlined}", self.at
        self.at = body
        self._body([scope], end)
        self.at = back
        self.labels[end] = len(self.instructions)


def resolved(name, scopes):
    """What a name means here: a register or a variable of the innermost scope that has it, else what all know."""
    for scope in reversed(scopes):
        if name in scope:
            return scope[name]
    return name
