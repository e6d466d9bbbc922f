# What people type.  meson.build does the building; this file installs what is missing and puts things in order.
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
# Warnings are errors here, since this is how developers and CI build; packagers use meson directly.
WERROR ?= true
MESON_OPTIONS ?=

MESON = meson
SETUP = $(MESON) setup -Dwerror=$(WERROR) -Dprefix=$(PREFIX) $(MESON_OPTIONS)

.PHONY: all setup run check check-kernels check-builds check-suites soak install clang lint asan tsan sanitize model bench clean help
.DELETE_ON_ERROR:

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

setup:
	@tools/setup build

$(BUILD)/build.ninja: | setup
	$(SETUP) $(BUILD)

help:
	@echo "make           build build/mvarmor and libmultivar"
	@echo "make run       demonstrate; make run CMD='nginx -g \"daemon off;\"' runs that under two variants"
	@echo "make check     build and run all tests"
	@echo "make check-kernels  some of the tests on Linux 5.10, 6.1 and 6.12 under emulation"
	@echo "make check-builds   builds of Debian's source of nginx: gcc against clang; CVE-2013-2028 put back, exploited, caught"
	@echo "make soak      MINUTES=30 of load, KILLS=500 at random moments, under each front-end"
	@echo "make check-suites   the tests of Python's standard library, natively and under mvarmor"
	@echo "make install   DESTDIR= PREFIX=$(PREFIX)"
	@echo "make lint      build with clang, run clang-tidy"
	@echo "make sanitize  unit tests under ASan and UBSan, the threads of ring and waiting under TSan"
	@echo "make model     explore the model of sleeping and waking (docs/model)"
	@echo "make bench     measure against native runs"
	@echo "make clean     remove what was built"

run: all
	@tools/setup demo
ifdef CMD
	@$(BUILD)/mvarmor run -n 2 -- $(CMD)
else
	@examples/demo.sh $(BUILD)
endif

check: all
	@tools/setup check
	@tools/check $(BUILD)

check-kernels: all
	@tools/setup check kernels
	@tests/kernels/check $(BUILD)

check-builds: all
	@tools/setup check lint
	@python3 tests/builds/nginx.py $(BUILD)/mvarmor
	@python3 tests/real/nginx_2013_2028.py $(BUILD)/mvarmor

MINUTES ?= 30
KILLS ?= 500
soak: all
	@tools/setup check
	@tests/soak/soak.py --minutes $(MINUTES) --kills $(KILLS) $(BUILD)
check-suites: all
	@tests/suites/python.py $(BUILD)/mvarmor

install: all
	@$(MESON) configure $(BUILD) -Dprefix=$(PREFIX)
	@$(MESON) install -C $(BUILD) $(if $(DESTDIR),--destdir $(abspath $(DESTDIR)))

clang:
	@tools/setup build lint
	@test -e $(BUILD)-clang/build.ninja || CC=clang $(SETUP) $(BUILD)-clang
	@ninja -C $(BUILD)-clang

lint: clang
	@tools/lint $(BUILD)-clang

asan:
	@tools/setup build
	@test -e $(BUILD)-asan/build.ninja || $(SETUP) -Db_sanitize=address,undefined $(BUILD)-asan
	@tools/check --unit $(BUILD)-asan

tsan:
	@tools/setup build
	@test -e $(BUILD)-tsan/build.ninja || $(SETUP) -Db_sanitize=thread $(BUILD)-tsan
	@tools/check --unit --only stream_threads --only wait_threads $(BUILD)-tsan

sanitize: asan tsan

model:
	@tools/setup lint
	@docs/model/check

bench: all
	@tools/setup check
	@bench/run $(BUILD)

clean:
	rm -rf $(BUILD) $(BUILD)-clang $(BUILD)-asan $(BUILD)-tsan
