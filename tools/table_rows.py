"""The table of system calls as data/*.tsv have it: rows, operands, structs, and every mistake that a row can have."""
import errno
import re
from dataclasses import dataclass, field

CALL_COLUMNS = "nr name class sel in out ret fd fdkind flags groups hook why".split()
SUB_COLUMNS = "parent selector name class in out ret fdkind flags groups hook why".split()
STRUCT_COLUMNS = "name size fields".split()

TABLE_SIZE = 512
PSEUDO = {0x1000: "<fault>", 0x1001: "<rdtsc>", 0x1002: "<rdtscp>", 0x1003: "<cpuid>", 0x1004: "<begin>",
          0x1005: "<spin>", 0x1006: "<enter>"}
NARGS = 6
NONE = 0xFF

CLASSES = "LEADER LEADER_LOCAL ALL ALLOVW LOCAL EMUL".split()
RETS = {"val": "VALUE", "fd": "FD", "addr": "ADDR", "own": "OWN"}
FDKINDS = "file socket pipe tty other".split()
FLAGS = "blocks sigpoint noreturn ord_fd ord_mm ord_proc clone exec cmsg_fds hold optional elastic early prot pid contained pseudo shadowed told".split()
GROUPS = "exec privilege output files network memory signal".split()

# Which length rules a kind takes; "" is no rule at all.
SCALARS = {"ign", "u32", "u64", "fd", "dfd", "addr"}
IN_KINDS = {
    "ign": {""}, "u32": {""}, "u64": {""}, "fd": {""}, "dfd": {""}, "addr": {""}, "ptr": {""},
    "str": {""}, "path": {""}, "strv": {""}, "msg": {""}, "msglay": {""}, "sigarg": {""},
    "buf": {"CONST", "ARG", "ARG_PLUS", "BITS", "INT", "MIN_INT"},
    "st": {"CONST", "ARG"},
    "iov": {"ARG"}, "iovlay": {"ARG"}, "mmsg": {"ARG"}, "mmsglay": {"ARG"},
    "sockaddr": {"ARG"}, "sigset": {"ARG"}, "fdset": {"ARG"}, "pollfds": {"ARG"},
}
OUT_KINDS = {
    "buf": {"CONST", "ARG", "ARG_PLUS", "RET", "RET_PLUS", "MIN_RET_ARG", "RET_IF_ARG", "VALUE_RESULT", "BITS",
            "PAGES"},
    "st": {"CONST", "ARG", "RET"},
    "iov": {"RET"}, "msg": {"RET"}, "mmsg": {"RET"}, "mmsglay": {"RET"},
    "fdset": {"ARG"}, "pollfds": {"ARG"},
}
DECIMAL = r"(?:0|[1-9][0-9]*)"
ARGUMENT = r"a(?P<arg>[0-9])"
SIZE = rf"(?P<size>{DECIMAL})"
LEN_RULES = [  # pattern, rule; groups are named arg and size
    (SIZE, "CONST"),
    (ARGUMENT, "ARG"),
    (rf"{ARGUMENT}\*{SIZE}", "ARG"),
    (rf"{ARGUMENT}\+{SIZE}", "ARG_PLUS"),
    (r"ret", "RET"),
    (rf"ret\*{SIZE}", "RET"),
    (rf"ret\+{SIZE}", "RET_PLUS"),
    (rf"min\(ret,{ARGUMENT}\)", "MIN_RET_ARG"),
    (rf"retif\({ARGUMENT}\)", "RET_IF_ARG"),
    (rf"vr\({ARGUMENT}\)", "VALUE_RESULT"),
    (rf"bits\({ARGUMENT}\)", "BITS"),
    (rf"pages\({ARGUMENT}\)", "PAGES"),
    (rf"int\({ARGUMENT}\)", "INT"),
    (rf"min\({SIZE},{ARGUMENT}\)", "MIN_INT"),
]
OF_RESULT = {"RET", "RET_PLUS", "MIN_RET_ARG", "RET_IF_ARG"}    # nothing is written if the call fails
NUMBER = rf"0x[0-9a-f]+|{DECIMAL}"
MASK = rf"(?P<mask>{NUMBER})"
CONDITIONS = [
    (ARGUMENT, "SET"),
    (rf"{ARGUMENT}&{MASK}", "ANY"),
    (rf"!{ARGUMENT}&{MASK}", "NONE"),
    (rf"{ARGUMENT}={MASK}", "EQ"),
]


class Mistake(Exception):
    """What is wrong with one row."""


@dataclass
class Operand:
    arg: int
    kind: str
    len: str = "CONST"
    len_arg: int = 0
    size: int = 0
    st: str | None = None
    cond: str = "ALWAYS"
    cond_arg: int = 0
    cond_mask: int = 0
    even_on_error: bool = False


@dataclass
class Row:
    name: str
    line: int
    cls: str = ""
    err: str = ""
    nargs: int = 0
    ins: list = field(default_factory=list)
    outs: list = field(default_factory=list)
    ret: str = "val"
    fdkind: str = "-"
    fd: int = NONE
    sel: int = NONE
    flags: list = field(default_factory=list)
    groups: list = field(default_factory=list)
    hook: str = "-"
    why: str = "-"
    nr: int = 0
    first: int = 0
    last: int = 0
    subs: list = field(default_factory=list)


@dataclass
class Struct:
    name: str
    size: int
    fields: list


def number(text, what, limit):
    if not re.fullmatch(NUMBER, text):
        raise Mistake(f"{what} '{text}' is not a number")
    value = int(text, 0)
    if value > limit:
        raise Mistake(f"{what} {text} is above {limit:#x}")
    return value


def words(text, allowed, what):
    if text == "-":
        return []
    out = []
    for word in text.split(","):
        if word not in allowed:
            raise Mistake(f"unknown {what} '{word}' (known: {' '.join(allowed)})")
        if word in out:
            raise Mistake(f"{what} '{word}' twice")
        out.append(word)
    return out


def first_match(patterns, word, what, text):
    """The name of the first pattern that the word is, and the groups of it."""
    for pattern, name in patterns:
        m = re.fullmatch(pattern, word)
        if m:
            return name, m.groupdict()
    raise Mistake(f"unknown {what}{word}' in '{text}'")


def parse_length(op, rule, text):
    name, got = first_match(LEN_RULES, rule, "length rule '", text)
    op.len = name
    op.len_arg = int(got.get("arg") or 0)
    op.size = int(got.get("size") or (1 if name in ("ARG", "RET") else 0))
    if "size" in got and op.size == 0:
        raise Mistake(f"0 bytes in the length rule '{rule}' of '{text}'")


def parse_operand(text, kinds, structs):
    m = re.fullmatch(r"([0-9]):([a-z][a-z0-9]*)(?::([^?!]*[^?!:]))?(?:\?([^?]+?))?(!?)", text)
    if not m:
        raise Mistake(f"operand '{text}' is not ARG:KIND[:RULE][?CONDITION][!]")
    arg, kind, rest, cond, bang = m.groups()
    op = Operand(int(arg), kind)
    if kind not in kinds:
        raise Mistake(f"unknown kind '{kind}' in '{text}' (known here: {' '.join(sorted(kinds))})")
    rule = rest or ""
    if kind == "st":
        op.st, _, rule = rule.partition(":")
        if op.st not in structs:
            raise Mistake(f"unknown struct '{op.st}' in '{text}': structs.tsv has no such row")
        rule = rule or "1"
    if rule:
        parse_length(op, rule, text)
    if (op.len if rule else "") not in kinds[kind]:
        raise Mistake(f"kind '{kind}' does not take the length rule '{rule}' in '{text}'")
    if op.size > 0xFFFF:
        raise Mistake(f"size {op.size} in '{text}' is above 65535")
    if cond:
        name, got = first_match(CONDITIONS, cond, "condition '?", text)
        op.cond, op.cond_arg = name, int(got["arg"])
        op.cond_mask = number(got.get("mask") or "0", "mask", 0xFFFFFFFF)
        if name in ("ANY", "NONE") and not op.cond_mask:
            raise Mistake(f"the mask 0 in '{text}' decides nothing")
        if kind == "ign":
            raise Mistake(f"a condition in '{text}', which is not looked at")
    op.even_on_error = bool(bang)
    if op.even_on_error and op.len in OF_RESULT:
        raise Mistake(f"'!' in '{text}': the result of a call that failed is no length")
    return op


def check_indexes(op, nargs, text):
    used = [("operand", op.arg)]
    if op.len not in ("CONST", "RET", "RET_PLUS"):
        used.append(("length rule", op.len_arg))
    if op.cond != "ALWAYS":
        used.append(("condition", op.cond_arg))
    for what, index in used:
        if index >= nargs:
            raise Mistake(f"{what} of '{text}' names argument {index}, the call has {nargs}")


def check_length_argument(op, inputs, text):
    """A length is a number, except where a pointer to it is asked for."""
    if op.len in ("CONST", "RET", "RET_PLUS"):
        return
    kinds = [i.kind for i in inputs if i.arg == op.len_arg]
    if not kinds:
        raise Mistake(f"the length rule of '{text}' names argument {op.len_arg}, which is not compared")
    pointer = kinds[0] not in SCALARS
    if pointer != (op.len == "VALUE_RESULT"):
        what = "a pointer" if pointer else "no pointer"
        raise Mistake(f"the length rule of '{text}' names argument {op.len_arg}, which is {what}")


def parse_inputs(row, text, structs):
    if text == "-":
        return
    last = -1
    parsed = []
    for item in text.split(" "):
        op = parse_operand(item, IN_KINDS, structs)
        if op.even_on_error:
            raise Mistake(f"'!' in the input '{item}': only outputs are written on error")
        if op.arg not in (last, last + 1):
            raise Mistake(f"'{item}' is out of order: every argument is listed, from 0 up")
        if (op, item) in parsed:
            raise Mistake(f"'{item}' twice")
        last = op.arg
        parsed.append((op, item))
    row.nargs = last + 1
    if row.nargs > NARGS:
        raise Mistake(f"{row.nargs} arguments, a call has at most {NARGS}")
    for op, item in parsed:
        check_indexes(op, row.nargs, item)
        if op.kind != "ign":
            row.ins.append(op)
    for op, item in parsed:
        check_length_argument(op, row.ins, item)


def parse_outputs(row, text, structs):
    if text == "-":
        return
    if row.cls in ("ALL", "LOCAL", "DENY"):
        raise Mistake(f"class {row.cls} has no outputs to replicate: every variant keeps its own")
    items = text.split(" ")
    for item in items:
        op = parse_operand(item, OUT_KINDS, structs)
        check_indexes(op, row.nargs, item)
        check_length_argument(op, row.ins, item)
        if items.count(item) > 1:
            raise Mistake(f"'{item}' twice")
        if all(i.kind in SCALARS for i in row.ins if i.arg == op.arg):
            raise Mistake(f"output '{item}' goes through argument {op.arg}, which no input says is a pointer")
        if op.kind == "st":		# the engine copies outputs as bytes, padding included
            op.kind, size = "buf", structs[op.st].size
            op.size *= size
            op.st = None
            if op.size > 0xFFFF:
                raise Mistake(f"size {op.size} of '{item}' is above 65535")
        if op.kind in ("iov", "mmsg", "mmsglay"):	# the vector's count is where the input operand has it
            counts = [i.len_arg for i in row.ins if i.arg == op.arg and i.kind in ("iov", "iovlay", "mmsg", "mmsglay")]
            if not counts:
                raise Mistake(f"output '{item}' has no input operand of the same argument that counts its elements")
            op.len_arg = counts[0]
        row.outs.append(op)


def parse_common(row, col, structs):
    """The columns that syscalls.tsv and subcalls.tsv share."""
    cls, colon, err = col["class"].partition(":")
    if cls == "DENY":
        if not err:
            raise Mistake("DENY needs an errno: DENY:EPERM")
        if not re.fullmatch("E[A-Z0-9]+", err) or not hasattr(errno, err):
            raise Mistake(f"unknown errno '{err}'")
        if col["why"] == "-":
            raise Mistake("DENY needs a reason in the column why")
        if "|" in col["why"]:
            raise Mistake("a '|' in the column why would end a cell of the table in docs/limits.md")
    elif colon or cls not in CLASSES:
        raise Mistake(f"unknown class '{col['class']}' (known: {' '.join(CLASSES)} DENY:ERRNO)")
    row.cls, row.err = cls, err
    parse_inputs(row, col["in"], structs)
    parse_outputs(row, col["out"], structs)
    if col["ret"] not in RETS:
        raise Mistake(f"unknown result '{col['ret']}' (known: {' '.join(RETS)})")
    row.ret = col["ret"]
    if col["fdkind"] != "-" and col["fdkind"] not in FDKINDS:
        raise Mistake(f"unknown fdkind '{col['fdkind']}' (known: {' '.join(FDKINDS)})")
    row.fdkind = col["fdkind"]
    row.flags = words(col["flags"], FLAGS, "flag")
    row.groups = words(col["groups"], GROUPS, "group")
    if col["hook"] != "-" and not re.fullmatch(r"[a-z][a-z0-9_]*", col["hook"]):
        raise Mistake(f"hook '{col['hook']}' is not a name of small letters, digits and _")
    row.hook, row.why = col["hook"], col["why"]
    if cls == "LOCAL" and set(row.flags) - ({"blocks"} if row.hook == "-" else {"blocks", "optional"}):
        raise Mistake("LOCAL takes no flag but blocks, and optional with a hook: such calls are outside of the stream")
    if cls == "EMUL" and row.hook == "-":
        raise Mistake("EMUL needs a hook that answers")
    if cls == "DENY" and row.hook != "-":
        raise Mistake("DENY takes no hook: nothing is executed")


def index_column(text, nargs, what):
    if text == "-":
        return NONE
    index = number(text, what, NARGS - 1)
    if index >= nargs:
        raise Mistake(f"{what} names argument {index}, the call has {nargs}")
    return index


def decode(line):
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        raise Mistake("not UTF-8") from None


class Table:
    def __init__(self, syscalls, subcalls, structs):
        self.mistakes = []
        self.structs = {}
        self.calls = {}
        self.names = {}
        self.each(structs, STRUCT_COLUMNS, self.add_struct)
        self.each(syscalls, CALL_COLUMNS, self.add_call)
        self.each(subcalls, SUB_COLUMNS, self.add_sub)
        for row in self.calls.values():
            if row.sel != NONE and not row.subs:
                self.mistakes.append(f"{syscalls}:{row.line}: {row.name} has a selector but no row in {subcalls}")
            row.subs.sort(key=lambda s: s.first)
            for low, high in zip(row.subs, row.subs[1:]):
                if high.first <= low.last:
                    where = f"{subcalls}:{high.line}"
                    self.mistakes.append(f"{where}: selector {high.first:#x} is already in line {low.line}")
        for nr, name in PSEUDO.items():
            if nr not in self.calls:
                self.mistakes.append(f"{syscalls}:1: no row for the pseudo call {nr:#x} {name}")

    def each(self, path, columns, add):
        with open(path, "rb") as f:
            lines = f.read().split(b"\n")
        if len(lines) > 1 and lines[-1] == b"":
            lines.pop()
        for n, text in enumerate(lines, 1):
            try:
                cells = decode(text).split("\t")
                if n == 1:
                    if cells != columns:
                        raise Mistake(f"the first line must name the columns: {' '.join(columns)}")
                    continue
                if len(cells) != len(columns):
                    raise Mistake(f"{len(cells)} columns, {len(columns)} expected (tabs between, '-' for nothing)")
                for name, cell in zip(columns, cells):
                    if cell == "" or cell != cell.strip() or "  " in cell:
                        raise Mistake(f"column {name} is empty or has stray blanks; '-' stands for nothing")
                    if not cell.isprintable():
                        raise Mistake(f"column {name} has a control character")
                add(n, dict(zip(columns, cells)))
            except Mistake as m:
                self.mistakes.append(f"{path}:{n}: {m}")

    def add_struct(self, line, col):
        name = col["name"]
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise Mistake(f"'{name}' is not a struct name")
        if name in self.structs:
            raise Mistake(f"struct '{name}' twice")
        size = number(col["size"], "size", 0xFFFF)
        if size == 0:
            raise Mistake("size 0")
        fields = []
        end = 0
        text = f"all@0+{size}" if col["fields"] == "*" else col["fields"]
        for item in text.split(" "):
            m = re.fullmatch(rf"([a-z_][a-z0-9_.]*)@({DECIMAL})\+({DECIMAL})", item)
            if not m:
                raise Mistake(f"field '{item}' is not NAME@OFFSET+LENGTH")
            offset, length = int(m[2]), int(m[3])
            if offset < end:
                raise Mistake(f"field '{item}' overlaps the one before it, or is out of order")
            end = offset + length
            if length == 0 or end > size:
                raise Mistake(f"field '{item}' is empty or reaches past the size {size}")
            if m[1] in [field[2] for field in fields]:
                raise Mistake(f"field '{m[1]}' twice")
            fields.append((offset, length, m[1]))
        self.structs[name] = Struct(name, size, fields)

    def add_call(self, line, col):
        nr = number(col["nr"], "nr", max(PSEUDO))
        name = col["name"]
        pseudo = nr in PSEUDO
        if nr >= TABLE_SIZE and not pseudo:
            raise Mistake(f"number {nr} is neither below {TABLE_SIZE} nor a pseudo call")
        if pseudo and name != PSEUDO[nr]:
            raise Mistake(f"pseudo call {nr:#x} is {PSEUDO[nr]}, not {name}")
        if not pseudo and not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
            raise Mistake(f"'{name}' is not a call name")
        if nr in self.calls:
            raise Mistake(f"number {nr} is already in line {self.calls[nr].line}")
        if name in self.names:
            raise Mistake(f"'{name}' is already in line {self.names[name].line}")
        row = Row(name, line, nr=nr)
        parse_common(row, col, self.structs)
        row.fd = index_column(col["fd"], row.nargs, "fd")
        row.sel = index_column(col["sel"], row.nargs, "sel")
        self.check(row)
        if pseudo != ("pseudo" in row.flags):
            raise Mistake("the flag pseudo is for rows with names in <angle brackets>, and those need it")
        self.calls[nr] = row
        self.names[name] = row

    def add_sub(self, line, col):
        parent = self.names.get(col["parent"])
        if not parent:
            raise Mistake(f"no call '{col['parent']}' in the table")
        if parent.sel == NONE:
            raise Mistake(f"{parent.name} has no selector argument: give it one in the column sel")
        if not re.fullmatch(r"[A-Za-z_0-9][A-Za-z0-9_/*]*", col["name"]):
            raise Mistake(f"'{col['name']}' is not a selector name")
        row = Row(f"{parent.name}({col['name']})", line, nr=parent.nr)
        first, dash, last = col["selector"].partition("-")
        row.first = number(first, "selector", 0xFFFFFFFF)
        row.last = number(last, "selector", 0xFFFFFFFF) if dash else row.first
        if row.last < row.first:
            raise Mistake(f"selector range '{col['selector']}' is upside down")
        if any(s.name == row.name for s in parent.subs):
            raise Mistake(f"{row.name} twice")
        parse_common(row, col, self.structs)
        row.fd = parent.fd
        if row.nargs > parent.nargs:
            raise Mistake(f"{row.nargs} arguments, {parent.name} has {parent.nargs}")
        if row.cls != "DENY" and parent.sel not in [op.arg for op in row.ins]:
            raise Mistake(f"argument {parent.sel}, the selector, is not compared")
        self.check(row)
        parent.subs.append(row)

    @staticmethod
    def check(row):
        if row.cls == "LEADER_LOCAL" and row.fd == NONE:
            raise Mistake("LEADER_LOCAL needs the argument that decides in the column fd")
        if row.fd != NONE and row.ins and not any(op.arg == row.fd and op.kind in ("fd", "dfd") for op in row.ins):
            raise Mistake(f"argument {row.fd}, named in the column fd, is no descriptor")
        if row.ret == "fd" and "ord_fd" not in row.flags and row.cls != "DENY":
            raise Mistake("a call that makes a descriptor needs the flag ord_fd")
        if row.fdkind != "-" and row.ret != "fd" and row.cls != "DENY":
            if not row.outs or row.outs[0].len != "CONST" or row.outs[0].size != 8:
                raise Mistake("fdkind without a new descriptor: ret is not fd, the first output not a pair of them")

    def rows(self):
        for nr in sorted(self.calls):
            yield self.calls[nr]
            yield from self.calls[nr].subs

    def hooks(self):
        return sorted({row.hook for row in self.rows() if row.hook != "-"})
