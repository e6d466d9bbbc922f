#!/usr/bin/env python3
"""Put the options table into the manual page: manpage.py MVARMOR PAGE.scd OUT.scd"""
import pathlib
import subprocess
import sys


def main():
    program, page, out = sys.argv[1:]
    options = subprocess.run([program, "--man-options"], check=True, capture_output=True, text=True).stdout
    text = pathlib.Path(page).read_text(encoding="utf-8")
    if text.count("@OPTIONS@\n") != 1:
        sys.exit(f"{page}: there must be one line @OPTIONS@")
    pathlib.Path(out).write_text(text.replace("@OPTIONS@\n", options.rstrip("\n") + "\n"), encoding="utf-8")


main()
