# test: timeout=90 needs=named,dig,dnsperf
"""named (bind9) with two workers: records by UDP and TCP, a transfer, a dynamic update, a reload by a signal, load by dnsperf."""
import os
import re
import signal
import subprocess
from common import SLOWER, Server, fail, free_port, wait_for

port = free_port()
here = os.getcwd()
ZONE = "example.test"


def zone(serial):
    with open("zone", "w") as f:
        f.write(f"""$TTL 300
@ IN SOA ns hostmaster ( {serial} 3600 900 604800 60 )
@ IN NS ns
ns IN A 127.0.0.1
@ IN MX 10 mail
mail IN A 192.0.2.1
mail IN AAAA 2001:db8::1
www IN CNAME mail
*.wild IN A 192.0.2.9
long IN TXT {' '.join('"' + chr(97 + i) * 200 + '"' for i in range(20))}
""" + "".join(f"host{i} IN A 192.0.2.{i % 250}\n" for i in range(500)))


def dig(*words):
    out = subprocess.run(["dig", "@127.0.0.1", "-p", str(port), "+tries=3", f"+time={int(SLOWER * 5)}", *words], stdout=subprocess.PIPE,
                         text=True).stdout
    status = re.search(r"status: (\w+)", out)
    return (status[1] if status else None), sorted(" ".join(line.split()) for line in out.splitlines() if line and line[0] != ";")


def serial():
    return dig("SOA", ZONE, "+short")[1][0].split()[2:3]


zone(1)
# Lines about clients begin with the address of the client's object, which differs between variants (docs/limits.md).
with open("named.conf", "w") as f:
    f.write(f"""
options {{ directory "{here}"; pid-file none; session-keyfile none; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
    recursion no; dnssec-validation no; managed-keys-directory "{here}"; lock-file none; allow-transfer {{ any; }}; }};
controls {{ }};
logging {{ channel log {{ file "{here}/log"; severity info; }}; category default {{ log; }}; category xfer-out {{ null; }}; category client {{ null; }}; category query-errors {{ null; }}; category security {{ null; }}; }};
zone "{ZONE}" {{ type primary; file "{here}/zone"; notify no; }};
""")
with open("queries", "w") as f:
    f.write(f"missing.{ZONE} A\nx.wild.{ZONE} A\nwww.{ZONE} AAAA\n" + "".join(f"host{i}.{ZONE} A\n" for i in range(500)))
with Server(["named", "-f", "-n", "2", "-4", "-c", f"{here}/named.conf"], port) as server:
    wait_for("zone", lambda: dig("SOA", ZONE)[0] == "NOERROR")
    for words in (("A", "mail"), ("AAAA", "www"), ("MX", ""), ("A", "missing"), ("A", "any.wild"), ("TXT", "long"), ("A", "host7", "+tcp"),
                  ("TXT", "long", "+notcp", "+ignore", "+noedns")):
        status, lines = dig(words[0], f"{words[1]}.{ZONE}".lstrip("."), *words[2:])
        print(words, status, lines)
    print("refused", dig("A", "elsewhere.test"))
    print("transfer", len(dig("AXFR", ZONE)[1]))
    zone(2)
    server.send(signal.SIGHUP)
    wait_for("new zone", lambda: serial() == ["2"])
    out = subprocess.run(["dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", "queries", "-l", "3", "-c", "4", "-q", "20", "-t", str(int(SLOWER * 10))],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    sent, lost = re.search(r"Queries sent:\s+(\d+)", out), re.search(r"Queries lost:\s+(\d+)", out)
    if not sent:
        fail(out)
    print("dnsperf: answers", int(sent[1]) > 100, "lost", lost[1], sorted(set(re.findall(r"(NOERROR|NXDOMAIN|SERVFAIL|REFUSED)", out))))
    server.stop()
