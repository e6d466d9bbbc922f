#!/usr/bin/python3
"""Instructions in the monitor's text that change PKRU are those of keys.S, and none goes on unchecked behind it.

monitor_keys.py monitor.elf
"""
import struct
import sys

WRPKRU = b"\x0f\x01\xef"
# rdgsbase %rax: the way leads into the monitor.  test $0x40000000, %eax: it goes on only if the key is closed.
BEHIND = {b"\xf3\x48\x0f\xae\xc8": 5, b"\xa9\x00\x00\x00\x40": 3}


def text(path):
    with open(path, "rb") as f:
        data = f.read()
    at, size, n = struct.unpack_from("<Q14xHH", data, 32)
    for i in range(n):
        kind, flags, offset, _, _, length = struct.unpack_from("<IIQQQQ", data, at + i * size)
        if kind == 1 and flags & 1:
            yield data[offset:offset + length]


def is_xrstor(code, at):
    """0f ae /5 with an operand in memory; xrstors is the kernel's."""
    return code[at:at + 2] == b"\x0f\xae" and code[at + 2] >> 3 & 7 == 5 and code[at + 2] >> 6 != 3


def main():
    found = dict.fromkeys(BEHIND, 0)
    wrong = []
    for code in text(sys.argv[1]):
        for at in range(len(code) - 8):
            if is_xrstor(code, at):
                wrong.append(f"xrstor at {at:#x}")
            if code[at:at + 3] != WRPKRU:
                continue
            behind = code[at + 3:at + 8]
            if behind in found:
                found[behind] += 1
            else:
                wrong.append(f"wrpkru at {at:#x} before {behind.hex()}")
    if found != BEHIND:
        wrong.append(f"{found} instead of {BEHIND}")
    print("\n".join(wrong) or "all are checked")
    return 1 if wrong else 0


sys.exit(main())
