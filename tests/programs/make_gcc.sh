#!/bin/sh
# test: timeout=150 needs=gcc,make heap corners
# make -j2 builds a small C project with gcc, a library and a program; nothing to do; a broken source.
set -u
mkdir src
for i in 1 2 3 4; do
	echo "int f$i(int x); int f$i(int x) { return x * $i; }" > src/f$i.c
done
cat > src/main.c << 'END'
#include <stdio.h>
int f1(int), f2(int), f3(int), f4(int);
int main(void) { printf("%d\n", f1(1) + f2(2) + f3(3) + f4(4)); return f4(5); }
END
cat > Makefile << 'END'
CFLAGS = -O1 -g -Wall
objects = $(patsubst src/%.c,obj/%.o,$(wildcard src/*.c))
all: prog
obj/%.o: src/%.c
	@mkdir -p obj
	@$(CC) $(CFLAGS) -c -o $@ $<
libf.a: $(filter-out obj/main.o,$(objects))
	@$(AR) rcsD $@ $^
prog: obj/main.o libf.a
	@$(CC) -o $@ $^
	@echo linked $@
END
make -j2 --no-print-directory
echo "make $?"
./prog
echo "prog $?"
make --no-print-directory
touch src/f1.c
make -j2 --no-print-directory
echo 'int main(void) { return undeclared; }' > src/main.c
make -s 2>&1 | grep -c undeclared
nm libf.a | grep ' T ' | sort
size -A prog | grep -c text
cksum < libf.a
