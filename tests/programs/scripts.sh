#!/usr/bin/env -S bash --norc
# Interpreters named by other ways: env -S, awk and sed scripts, perl and python with arguments.
make() { cat > "$1"; chmod 755 "$1"; }
make awk.script << 'END'
#!/usr/bin/awk -f
{ print NR ": " toupper($0) }
END
printf 'one\ntwo\n' | ./awk.script
make sed.script << 'END'
#!/bin/sed -nf
2p
END
printf 'one\ntwo\n' | ./sed.script
make py << 'END'
#!/usr/bin/python3 -I
import sys
print(sys.argv, sys.flags.isolated)
END
./py 'a b' c
make nohead << 'END'
echo no interpreter line: $0
END
./nohead
make loop << 'END'
#!./loop
END
./loop 2> /dev/null
echo "loop $?"
echo "$0 has $# arguments" | sed 's,.*/,,'
