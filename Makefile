# darkroom: `make run` serves the bundled model on http://localhost:7860, `make test` tests it all.
SHELL := /bin/bash
MODEL ?= weights/tiny
ARGS ?=
PREFIX ?= /usr/local
DESTDIR ?=
FLAVOUR ?= release
CUDA ?= auto
O ?= build

CC ?= gcc
B := $(O)/$(FLAVOUR)
# after the packages are there: pkg-config and nvcc are looked up anew, all cores are used
PARALLEL := $(MAKE) --no-print-directory -j$(shell nproc)
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unknown)
PKGS := libcurl libwebsockets jansson sqlite3 libsodium libturbojpeg libjpeg libwebp libwebpdemux \
        libpcre2-8
DEPS := gcc pkg-config libwebsockets-dev libjansson-dev libturbojpeg0-dev libjpeg62-turbo-dev \
        libwebp-dev libsqlite3-dev libsodium-dev libinih-dev libpcre2-dev libstb-dev \
        libdeflate-dev libspng-dev libcurl4-openssl-dev
TEST_DEPS := g++ libcmocka-dev clang-format chromium-headless-shell firefox-esr python3 \
             python3-websockets python3-venv python3-yaml python3-numpy python3-pil \
             fonts-dejavu-core curl nodejs npm nginx openssl iproute2 systemd dpkg-dev

WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
OPT_release := -O2 -g
OPT_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined \
            -fno-omit-frame-pointer
OPT_tsan := -O1 -g -fsanitize=thread
OPT_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
CFLAGS += -std=c11 -D_GNU_SOURCE $(WARN) $(OPT_$(FLAVOUR)) -I. -I$(B) -MMD -MP
LDFLAGS += $(OPT_$(FLAVOUR))
LIBS = $(shell pkg-config --libs $(PKGS)) -linih -ldeflate -lspng -lpthread -lm
# a library's own headers are not ours to warn about
SYS = $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(PKGS)))

# layers, lowest first
PROTO := $(wildcard proto/*.c)
WEIGHTS := $(wildcard weights/*.c weights/safetensors/*.c weights/tokenizer/*.c)
KERNELS := $(wildcard kernels/*.c $(patsubst %,kernels/%/*.c,engine memory model cpu report))
BASE := $(wildcard server/base/*.c)
CORE := $(wildcard server/core/*.c)
SERVER := $(filter-out server/main.c $(BASE) $(CORE),$(wildcard server/*.c server/*/*.c))
TESTS := $(wildcard test/sim/test_*.c \
           $(foreach d,proto weights kernels server,test/$(d)/test_*.c test/$(d)/*/test_*.c))
PAGE := $(wildcard frontend/*.html frontend/*.css frontend/*.js frontend/*.svg frontend/*.png \
          frontend/*.webmanifest frontend/*/*.js frontend/*/*.json frontend/*/*.css \
          frontend/pages/*/*.js frontend/pages/*/*.css)

obj = $(patsubst %.c,$(B)/%.o,$(1))
ARCHIVES := $(patsubst %,$(B)/lib%.a,server core base kernels weights proto)
.DEFAULT_GOAL := all
# what is built in a way of its own has its file beside it; these add to KERNELS, LIBS and TESTS
include kernels/cpu/isa/isa.mk kernels/cuda/cuda.mk test/simt/simt.mk test/cuda/cuda.mk \
        test/fuzz/fuzz.mk test/kernels/cpu/tiles.mk test/server/store/faults.mk \
        test/golden/golden.mk bench/bench.mk

TEST_BIN := $(patsubst test/%.c,$(B)/test/%,$(TESTS))
# tests whose source is gone must not run any more
STALE = $(filter-out $(TEST_BIN) %.d %.o,$(wildcard $(B)/test/*/test_* $(B)/test/*/*/test_*))

all: $(if $(filter release,$(FLAVOUR)),$(O),$(B))/darkroom $(ARCHIVES) ## build build/darkroom

$(O)/darkroom: $(B)/darkroom
	@cp -f $< $@

$(B)/darkroom: $(B)/server/main.o $(ARCHIVES)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(B)/libproto.a: $(call obj,$(PROTO))
$(B)/libweights.a: $(call obj,$(WEIGHTS))
$(B)/libkernels.a: $(call obj,$(KERNELS)) $(ISA_OBJ) $(if $(CUDA_ON),$(CUDA_OBJ))
$(B)/libbase.a: $(call obj,$(BASE))
$(B)/libcore.a: $(call obj,$(CORE))
$(B)/libserver.a: $(call obj,$(SERVER)) $(B)/page.o
$(B)/lib%.a:
	@mkdir -p $(@D) && rm -f $@ && ar qcs $@ $^ # q: r would keep one of two files of the same name

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(SYS) -c -o $@ $<

# rewritten only when the version is another one
$(B)/server/version.h: FORCE
	@mkdir -p $(@D)
	@echo '#define DARKROOM_VERSION "$(VERSION)"' > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@
$(B)/server/main.o: $(B)/server/version.h
FORCE:

# the page's files travel inside the binary
$(B)/page.S: frontend/pack.sh $(PAGE) Makefile
	@mkdir -p $(@D)
	@frontend/pack.sh $(PAGE) > $@
$(B)/page.o: $(B)/page.S
	$(CC) -c -o $@ $<

LINK = $(CC) $(CFLAGS) $(SYS) $(LDFLAGS) -o $@ $< $(filter %.o %.a,$^)
$(B)/test/%: test/%.c $(ARCHIVES)
	@mkdir -p $(@D)
	$(LINK) -lcmocka $(LIBS)
# the simulation links with what decides, and nothing that waits
$(B)/test/sim/%: LIBS = -ljansson -lsodium -lpthread -lm
$(B)/test/sim/%: test/sim/%.c $(B)/libcore.a $(B)/libbase.a $(B)/libproto.a
	@mkdir -p $(@D)
	$(LINK) -lcmocka $(LIBS)

run: deps ## install what is missing, build, serve the bundled model
	@$(PARALLEL) all
	$(O)/darkroom serve --model "$(MODEL)" $(ARGS)

test: test-deps ## install what is missing, build, run every test that needs no GPU
	@$(PARALLEL) test-build
	@test/clients/install $(O)/clients
	@test/run $(B)

test-build: all $(TEST_BIN) $(SIMT_BENCH) $(if $(CUDA_LIB),$(CUDA_OBJ))
	@rm -f $(STALE)

asan tsan: test-deps ## the C tests under the sanitizers
	@$(PARALLEL) FLAVOUR=$@ test-c

test-c: all $(TEST_BIN) ## the C tests alone
	@rm -f $(STALE)
	@test/run $(B) c

deps: ## install what building needs (apt)
	@test/deps $(DEPS)

test-deps:
	@test/deps $(DEPS) $(TEST_DEPS)

install: all ## install the binary and the bundled model (DESTDIR=, PREFIX=)
	install -d "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/share/darkroom"
	install $(O)/darkroom "$(DESTDIR)$(PREFIX)/bin/darkroom"
	cp -r weights/tiny "$(DESTDIR)$(PREFIX)/share/darkroom/"

screenshots: all ## take the README's pictures anew from the real program
	@test/web/run.sh --install
	node test/web/readme.mjs frontend/doc/page.png

deb: all ## build a Debian package in build/
	@test/deps dpkg-dev
	@server/deploy/debian/build.sh $(O)/darkroom $(O)

clean: ## remove what was built
	rm -rf $(O)

help: ## this list
	@awk -F':.*## ' '/^[a-z][a-z -]*:.*## /{printf "  %-12s %s\n", $$1, $$2}' \
	  $(filter %Makefile %.mk,$(MAKEFILE_LIST))

.PHONY: all run test test-build asan tsan test-c deps test-deps install screenshots deb clean help \
        FORCE
.SECONDARY:
-include $(shell find $(B) $(O)/cuda -name '*.d' 2>/dev/null)
