#!/usr/bin/env python3
"""Turn data/*.tsv into the engine's table (src/engine/table.h says what it is, data/legend.md how rows are written).

    gen_table.py OUT.c SYSCALLS SUBCALLS STRUCTS        write the C file
    gen_table.py --hooks SYSCALLS SUBCALLS STRUCTS      print the hooks that rows name, one a line
    gen_table.py --limits DOC.md SYSCALLS ...           rewrite the generated section of DOC.md
    gen_table.py --check-limits DOC.md SYSCALLS ...     exit 1 if that section is stale

Mistakes in the data are reported as "file:line: message", all of them, and end with exit status 1.
"""
import sys

sys.dont_write_bytecode = True
from table_c import Writer  # noqa: E402
from table_limits import limits  # noqa: E402
from table_rows import Table  # noqa: E402


def main(argv):
    mode = "c"
    if argv and argv[0] in ("--hooks", "--limits", "--check-limits"):
        mode = argv.pop(0)[2:]
    if len(argv) != (3 if mode == "hooks" else 4) or argv[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        table = Table(*argv[-3:])
        if table.mistakes:
            print("\n".join(table.mistakes), file=sys.stderr)
            return 1
        if mode == "hooks":
            print("\n".join(table.hooks()))
        elif mode == "c":
            text = Writer(table).text()
            with open(argv[0], "w", encoding="utf-8") as f:
                f.write(text)
        else:
            return limits(table, argv[0], mode == "check-limits")
    except OSError as e:
        print(f"{e.filename}: {e.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
