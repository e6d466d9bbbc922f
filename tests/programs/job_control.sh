#!/bin/sh
# test: timeout=120 corners needs=bash,dash,python3
# Interactive shells on a terminal, driven by keys: jobs that stop by ^Z and by reading or writing in the background, fg, bg, jobs, kill,
# pipelines, what an interrupt leaves, a stopped job at the shell's end, setsid.
cat > drive.py << 'PYTHON'
import os
import pty
import re
import select
import sys
import time

PROMPT = "ready> "
LIMIT = 30


def members(group):
    """The programs that the processes of a group execute."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", errors="replace") as f:
                name, rest = re.fullmatch(r"\d+ \((.*)\) (.*)", f.read().strip(), re.S).groups()
        except OSError:
            continue
        if int(rest.split()[2]) == group:
            yield name


class Shell:
    def __init__(self, argv):
        env = {"PATH": os.environ["PATH"], "PS1": PROMPT, "HOME": "/", "TERM": "dumb", "HISTFILE": "", "LC_ALL": "C"}
        self.pid, self.tty = pty.fork()
        if not self.pid:
            os.execvpe(argv[0], argv, env)
        self.seen = ""

    def expect(self, what, pattern):
        """Read until the pattern comes; what is before it is done with."""
        end = time.monotonic() + LIMIT
        while True:
            found = re.search(pattern, self.seen)
            if found:
                self.seen = self.seen[found.end():]
                print(f"  {what}: yes", flush=True)
                return
            if not select.select([self.tty], [], [], max(0, end - time.monotonic()))[0]:
                break
            try:
                more = os.read(self.tty, 4096)
            except OSError:
                break
            self.seen += more.decode(errors="replace")
        print(f"  {what}: NO, but {self.seen!r}", flush=True)
        os.kill(self.pid, 9)
        sys.exit(1)

    def type(self, text):
        os.write(self.tty, text.encode())

    def command(self, text):
        self.type(text + "\n")

    def prompt(self):
        self.expect("prompt", re.escape(PROMPT))

    def in_front(self, *programs):
        """Wait until a job of these has the terminal."""
        end = time.monotonic() + LIMIT
        while sorted(members(os.tcgetpgrp(self.tty))) != sorted(programs):
            if time.monotonic() > end:
                print("  not in the foreground:", *programs)
                break
            time.sleep(0.01)

    def until(self, what, command, pattern):
        """What takes a moment to be so."""
        for _ in range(200):
            self.command(command + "; echo do''ne")
            start = time.monotonic()
            text = ""
            while "done\r\n" not in text and time.monotonic() < start + LIMIT:
                if select.select([self.tty], [], [], 1)[0]:
                    text += os.read(self.tty, 4096).decode(errors="replace")
            if re.search(pattern, text):
                self.seen = text[text.index("done\r\n"):]
                print(f"  {what}: yes", flush=True)
                self.prompt()
                return
            time.sleep(0.05)
        print(f"  {what}: NO, but {text!r}")
        sys.exit(1)


def drive(argv):
    print(" ".join(argv))
    s = Shell(argv)
    s.prompt()
    s.command("sleep 1000")
    s.in_front("sleep")
    s.type("\x1a")
    s.expect("stopped by ^Z", "(?i)stopped")
    s.prompt()
    s.until("jobs has it", "jobs", r"Stopped.*sleep 1000")
    s.command("bg")
    s.expect("in the background", "sleep 1000")
    s.prompt()
    s.until("it runs", "jobs", r"Running.*sleep 1000")
    s.command("fg")
    s.in_front("sleep")
    s.type("\x03")
    s.prompt()
    s.command("echo status=$?")
    s.expect("interrupted", "status=130\r\n")
    s.prompt()

    s.command("cat &")
    s.prompt()
    s.until("a reader in the background stops", "jobs", r"Stopped.*cat")
    s.command("fg")
    s.in_front("cat")
    s.command("a line")
    s.expect("it reads", "a line\r\na line\r\n")
    s.type("\x04")
    s.prompt()

    s.command("stty tostop")
    s.prompt()
    s.command("/bin/echo wri''tten &")
    s.prompt()
    s.until("a writer in the background stops", "jobs", r"Stopped.*echo")
    s.command("fg")
    s.expect("it writes", "written\r\n")
    s.prompt()
    s.command("stty -tostop")
    s.prompt()

    s.command("sleep 1000 | cat")
    s.in_front("sleep", "cat")
    s.type("\x1a")
    s.expect("a pipeline stops", "(?i)stopped")
    s.prompt()
    s.command("sleep 2000 &")
    s.prompt()
    s.until("two jobs", "jobs", r"(?s)1\].*Stopped.*sleep 1000.*2\].*Running.*sleep 2000")
    s.command("kill -9 %2; wait %2; echo status=$?")
    s.expect("killed", "status=137")
    s.prompt()
    s.command("fg %1")
    s.in_front("sleep", "cat")
    s.type("\x1c")
    s.prompt()
    s.command("echo status=$?")
    s.expect("quit", "status=131\r\n")
    s.prompt()

    s.command("setsid -w sh -c ': < /dev/tty' 2> /dev/null || echo no ter''minal")
    s.expect("a session of its own has no terminal", "no terminal\r\n")
    s.prompt()
    s.command("sh -c 'trap \"echo ended > ended; exit\" HUP TERM; kill -STOP $$; sleep 1000 & wait'")
    s.expect("it stops itself", "(?i)stopped")
    s.prompt()
    s.command("exit")
    s.expect("a job is stopped", "stopped jobs")
    s.prompt()
    s.command("exit 3")
    print("  shell ended by", os.waitstatus_to_exitcode(os.waitpid(s.pid, 0)[1]))
    end = time.monotonic() + LIMIT
    while not os.path.exists("ended") and time.monotonic() < end:
        time.sleep(0.02)
    print("  the stopped job was ended:", os.path.exists("ended"))
    os.unlink("ended")


drive(["dash", "-i"])
drive(["bash", "--norc", "--noprofile", "--noediting", "-i"])
PYTHON
python3 -B drive.py
