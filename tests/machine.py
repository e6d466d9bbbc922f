"""What tests ask of the machine."""
import re
import subprocess

UNTRAPPED = "the time stamp counter cannot be trapped on this machine, and is not the same in all variants"


def traps_tsc(mvarmor):
    checks = subprocess.run([mvarmor, "check"], stdout=subprocess.PIPE, text=True, check=False).stdout
    return re.search(r"^ok +trapping rdtsc", checks, re.M)
