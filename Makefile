# darkroom: `make run` serves the bundled model on http://localhost:7860, `make test` tests everything.
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
PKGS := libwebsockets jansson sqlite3 libsodium spng libturbojpeg libpcre2-8
DEPS := gcc pkg-config libwebsockets-dev libjansson-dev libspng-dev libturbojpeg0-dev \
        libsqlite3-dev libsodium-dev libinih-dev libpcre2-dev libstb-dev libdeflate-dev
FUZZ_DEPS := clang libclang-rt-dev
FUZZ_RUNS ?= 200000
TEST_DEPS := g++ libcmocka-dev clang-format chromium python3 python3-websockets nodejs npm

WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
OPT_release := -O2 -g
OPT_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
OPT_tsan := -O1 -g -fsanitize=thread
OPT_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
CFLAGS += -std=c11 -D_GNU_SOURCE $(WARN) $(OPT_$(FLAVOUR)) -I. -I$(B) -MMD -MP
LDFLAGS += $(OPT_$(FLAVOUR))
LIBS = $(shell pkg-config --libs $(PKGS)) -linih -ldeflate -lpthread -lm
# a library's own headers are not ours to warn about
SYS = $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(PKGS)))

# layers, lowest first; a file in kernels/cpu/isa is built once for every instruction set
PROTO := $(wildcard proto/*.c)
WEIGHTS := $(wildcard weights/*.c weights/safetensors/*.c weights/tokenizer/*.c)
KERNELS := $(wildcard kernels/*.c $(patsubst %,kernels/%/*.c,engine memory model cpu report))
ISA_SRC := $(wildcard kernels/cpu/isa/*.c)
ISAS := $(if $(filter x86_64,$(shell uname -m)),base avx2 avx512 avx512bf amx,base)
ISA_base :=
ISA_avx2 := -mavx2 -mfma -mf16c
ISA_avx512 := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mfma -mprefer-vector-width=512
ISA_avx512bf := $(ISA_avx512) -mavx512bf16
ISA_amx := $(ISA_avx512bf) -mamx-tile -mamx-bf16
# CUDA: auto builds it where nvcc, cuBLASLt and cuDNN are, 0 never, 1 with what there is. The binary needs none of
# them to start: cudart is linked in, the two libraries are opened when a card is
ifneq ($(CUDA),0)
$(foreach v,$(shell kernels/cuda/find.sh $(abspath $(O)) | tr ' ' ,),$(eval $(v)))
endif
comma := ,
LIB_DIRS := $(subst $(comma), ,$(LIB_INC))
CUDA_ON := $(and $(filter release,$(FLAVOUR)),$(CUDA_LIB),$(or $(filter 1,$(CUDA)),$(word 2,$(LIB_DIRS))))
ifeq ($(CUDA)$(CUDA_LIB),1)
$(error CUDA=1, but there is no nvcc)
endif
ifeq ($(CUDA_ON)$(CUDA)$(FLAVOUR),autorelease)
$(if $(CUDA_LIB),$(info CUDA is left out: nvcc is here$(comma) the headers of cuBLASLt or cuDNN are not (make cuda-deps)))
endif
CUDA_ARCH ?= $(if $(CUDA_ON),80 89 )90a
CUDA_PTX ?= $(if $(CUDA_ON),90)
CUDA_SRC := $(wildcard kernels/cuda/*.cu)
CUDA_C := $(filter-out kernels/cuda/stub.c,$(wildcard kernels/cuda/*.c))
CUDA_DIR := $(O)/cuda/$(subst $() ,-,$(strip $(CUDA_ARCH)))
CUDA_OBJ := $(patsubst %.cu,$(CUDA_DIR)/%.o,$(CUDA_SRC))
CUDA_SYS := $(addprefix -isystem ,$(CUDA_INC) $(LIB_DIRS)) -DCUDA_LIB_PATH='"$(LIB_PATH)"'
NVFLAGS := -std=c++17 -O2 -lineinfo -I. -Xcompiler -Wall$(comma)-Wextra$(comma)-fno-exceptions \
           $(foreach a,$(CUDA_ARCH),-gencode arch=compute_$(a)$(comma)code=sm_$(a)) \
           $(foreach a,$(CUDA_PTX),-gencode arch=compute_$(a)$(comma)code=compute_$(a))
KERNELS += $(if $(CUDA_ON),$(CUDA_C),kernels/cuda/stub.c)
LIBS += $(if $(CUDA_ON),-L$(CUDA_LIB) -lcudart_static -lrt -ldl -l:libstdc++.a)
SIMT := $(B)/simt
SIMT_OBJ := $(patsubst kernels/cuda/%.cu,$(SIMT)/%.o,$(CUDA_SRC)) $(patsubst kernels/cuda/%.c,$(SIMT)/%.o,$(CUDA_C)) \
            $(patsubst test/simt/%.cc,$(SIMT)/%.o,$(wildcard test/simt/*.cc)) $(B)/test/simt/pair.o $(B)/test/simt/cases.o
# the emulated GPU is one thread, so without races, and its fibers cost the address sanitizer a second a token
SIMT_TESTS := $(if $(filter tsan,$(FLAVOUR)),,$(filter-out $(if $(filter asan,$(FLAVOUR)),%/test_faults.c %/test_residency.c),$(wildcard test/simt/test_*.c)))
SERVER := $(filter-out server/main.c,$(wildcard server/*.c server/*/*.c))
TESTS := $(wildcard $(foreach d,proto weights kernels server,test/$(d)/test_*.c test/$(d)/*/test_*.c) test/sim/test_*.c) $(SIMT_TESTS)
PAGE := $(wildcard frontend/*.html frontend/*.css frontend/*.js frontend/*.svg frontend/*.webmanifest frontend/*.png \
          frontend/*/*.js frontend/*/*.json frontend/*/*.css)

obj = $(patsubst %.c,$(B)/%.o,$(1))
ISA_OBJ := $(foreach i,$(ISAS),$(patsubst %.c,$(B)/%.$(i).o,$(ISA_SRC)))
ARCHIVES := $(B)/libserver.a $(B)/libkernels.a $(B)/libweights.a $(B)/libproto.a
FUZZ := $(basename $(notdir $(wildcard test/fuzz/fuzz_*.c)))
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
$(B)/libserver.a: $(call obj,$(SERVER)) $(B)/page.o
$(B)/lib%.a:
	@mkdir -p $(@D) && rm -f $@ && ar qcs $@ $^ # q: r would keep one of two files of the same name

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(SYS) -c -o $@ $<

define isa_rule
$(B)/%.$(1).o: %.c
	@mkdir -p $$(@D)
	$$(CC) $$(CFLAGS) $$(SYS) $$(ISA_$(1)) -DISA=$(1) -c -o $$@ $$<
endef
$(foreach i,$(ISAS),$(eval $(call isa_rule,$(i))))

$(CUDA_OBJ): $(CUDA_DIR)/%.o: %.cu
	@mkdir -p $(@D)
	nice $(NVCC) $(NVFLAGS) -MMD -MP -MF $(@:.o=.d) -c -o $@ $<
$(B)/kernels/cuda/%.o: SYS += $(CUDA_SYS)

# the same kernels and the same device on an emulated GPU: test/simt stands in for CUDA
$(SIMT)/%.o: kernels/cuda/%.cu
	@mkdir -p $(@D)
	$(CC) -x c++ -std=c++17 $(OPT_$(FLAVOUR)) -DSIMT -include test/simt/simt.h -I. -Wall -Wextra -Wno-unknown-pragmas -MMD -MP -c -o $@ $<
$(SIMT)/%.o: kernels/cuda/%.c
	@mkdir -p $(@D)
	$(CC) -Itest/simt $(CFLAGS) $(SYS) -c -o $@ $<
$(SIMT)/%.o: test/simt/%.cc
	@mkdir -p $(@D)
	$(CC) -std=c++17 $(OPT_$(FLAVOUR)) -I. -Wall -Wextra -MMD -MP -c -o $@ $<
$(filter $(B)/test/simt/%,$(TEST_BIN)): $(B)/test/%: test/%.c $(SIMT_OBJ) $(ARCHIVES)
	$(CC) -Itest/simt $(CFLAGS) $(SYS) $(LDFLAGS) -o $@ $< $(SIMT_OBJ) $(ARCHIVES) -lcmocka $(LIBS) -lstdc++ -ldl

# rewritten only when the version is another one
$(B)/server/version.h: FORCE
	@mkdir -p $(@D)
	@echo '#define DARKROOM_VERSION "$(VERSION)"' | cmp -s - $@ || echo '#define DARKROOM_VERSION "$(VERSION)"' > $@
$(B)/server/main.o: $(B)/server/version.h
FORCE:

# the page's files travel inside the binary: a table of (path, start, end)
$(B)/page.S: $(PAGE) Makefile
	@mkdir -p $(@D)
	@{ echo '.section .rodata'; n=0; for f in $(PAGE); do \
	  echo ".Ln$$n: .asciz \"/$${f#frontend/}\""; echo ".balign 16"; echo ".Ls$$n: .incbin \"$$f\""; \
	  echo ".Le$$n: .byte 0"; n=$$((n+1)); done; \
	  echo '.section .data.rel.ro,"aw"'; echo '.balign 8'; echo '.globl page_files'; echo 'page_files:'; \
	  for ((i=0;i<n;i++)); do echo ".quad .Ln$$i,.Ls$$i,.Le$$i"; done; echo '.quad 0,0,0'; \
	  echo '.section .note.GNU-stack,"",@progbits'; } > $@
$(B)/page.o: $(B)/page.S
	$(CC) -c -o $@ $<

$(B)/test/%: test/%.c $(ARCHIVES)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(SYS) $(LDFLAGS) -o $@ $< $(ARCHIVES) -lcmocka $(LIBS)

bench: $(patsubst bench/%.c,$(B)/bench/%,$(wildcard bench/ops.c bench/block.c bench/steps.c)) ## build the programs of bench/
$(B)/bench/%: bench/%.c $(ARCHIVES)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(SYS) $(LDFLAGS) -o $@ $< $(ARCHIVES) $(LIBS)

# the programs of bench/gpu.sh on the emulated GPU
emulated: $(patsubst %,$(B)/emulated/%,gpu_speed gpu_stage gpu_engine) ## the GPU command's programs without a GPU (bench/gpu.sh --emulated)
$(B)/emulated/%: bench/%.c bench/gpu_net.c bench/gpu_meter.c $(SIMT_OBJ) $(ARCHIVES)
	@mkdir -p $(@D)
	$(CC) -Itest/simt $(CFLAGS) $(SYS) $(LDFLAGS) -MF $@.d -o $@ $< bench/gpu_net.c bench/gpu_meter.c $(SIMT_OBJ) $(ARCHIVES) $(LIBS) -lstdc++ -ldl

run: deps ## install what is missing, build, serve the bundled model
	@$(PARALLEL) all
	$(O)/darkroom serve --model "$(MODEL)" $(ARGS)

test: test-deps ## install what is missing, build, run every test that needs no GPU
	@$(PARALLEL) test-build
	@test/run $(B)

test-build: all $(TEST_BIN) $(B)/emulated/gpu_stage $(if $(CUDA_LIB),$(CUDA_OBJ))
	@rm -f $(STALE)

asan tsan: test-deps ## the C tests under the sanitizers
	@$(PARALLEL) FLAVOUR=$@ test-c

test-c: all $(TEST_BIN) ## the C tests alone
	@rm -f $(STALE)
	@test/run $(B) c

fuzz: ## feed random bytes to every reader of untrusted input (FUZZ_RUNS=200000 each)
	@test/deps $(DEPS) $(FUZZ_DEPS)
	@$(MAKE) --no-print-directory FLAVOUR=fuzz CC=clang $(addprefix run-,$(FUZZ))

$(B)/test/fuzz/%: test/fuzz/%.c $(B)/libweights.a $(B)/libproto.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(SYS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)

run-fuzz_%: $(B)/test/fuzz/fuzz_%
	@python3 test/fuzz/seeds.py $(O)/corpus && mkdir -p $(O)/corpus/fuzz_$*
	$< -runs=$(FUZZ_RUNS) -seed=1 -max_len=4096 -timeout=10 -verbosity=0 -print_final_stats=1 \
	  -artifact_prefix=$(O)/corpus/fuzz_$*- $(O)/corpus/fuzz_$*

cuda-deps: ## cuBLASLt and cuDNN from PyPI into build/ (a machine with nvcc; 1 GB)
	python3 -m pip install -q --no-deps --target $(O)/cuda-libs nvidia-cublas nvidia-cudnn-cu13

deps: ## install what building needs (apt)
	@test/deps $(DEPS)

test-deps:
	@test/deps $(DEPS) $(TEST_DEPS)

install: all ## install the binary and the bundled model (DESTDIR=, PREFIX=)
	install -d "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/share/darkroom"
	install $(O)/darkroom "$(DESTDIR)$(PREFIX)/bin/darkroom"
	cp -r weights/tiny "$(DESTDIR)$(PREFIX)/share/darkroom/"

# PYTHON: one that has test/golden/requirements.txt; by default a venv of our own
PYTHON ?= $(O)/golden/bin/python
golden: $(PYTHON) ## make the golden traces under test/golden anew (Python, once)
	$(PYTHON) test/golden/make.py

$(O)/golden/bin/python: test/golden/requirements.txt
	python3 -m venv $(O)/golden && $(O)/golden/bin/pip install -q -r $<

clean: ## remove what was built
	rm -rf $(O)

help: ## this list
	@awk -F':.*## ' '/^[a-z][a-z -]*:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: bench emulated golden all run test test-build fuzz asan tsan test-c deps test-deps install clean help FORCE
.SECONDARY:
-include $(shell find $(B) $(O)/cuda -name '*.d' 2>/dev/null)
