#!/bin/sh
# test: timeout=60 needs=curl,python3
# curl from a local server, which runs below the same mvarmor; several files at once, ranges, errors, upload.
set -u
mkdir www
seq 1 30000 > www/data
echo small > www/small
(cd www && exec /usr/bin/python3 -I -u -c '
import functools, http.server
h = functools.partial(http.server.SimpleHTTPRequestHandler, directory=".")
http.server.SimpleHTTPRequestHandler.log_message = lambda *a: None
s = http.server.HTTPServer(("127.0.0.1", 0), h)
open("../port", "w").write(f"{s.server_port}\n")
s.serve_forever()') &
server=$!
while [ ! -s port ]; do sleep 0.05; done
url=http://127.0.0.1:$(cat port)
export no_proxy='*'
curl -s "$url/data" | cksum
curl -s -o one "$url/small" -o two "$url/data"
cat one; wc -c two
curl -s -w '%{http_code} %{size_download}\n' -o /dev/null "$url/missing"
curl -s -f "$url/missing"; echo "status $?"
curl -s --no-progress-meter -Z --parallel-max 3 "$url/small" "$url/small" "$url/small"
curl -s -I "$url/small" | grep -i content-length
curl -s --max-time 2 http://127.0.0.1:1/; echo "status $?"
kill $server
{ wait $server; } 2> /dev/null
echo "server $?"
