# fuzz - every reader of untrusted input under random bytes, one program each (clang, libFuzzer).
FUZZ_DEPS := clang libclang-rt-dev
FUZZ_RUNS ?= 200000
FUZZ := $(basename $(notdir $(wildcard test/fuzz/fuzz_*.c)))

fuzz: ## feed random bytes to every reader of untrusted input (FUZZ_RUNS=200000 each)
	@test/deps $(DEPS) $(FUZZ_DEPS) libcmocka-dev
	@$(MAKE) --no-print-directory FLAVOUR=fuzz CC=clang $(addprefix run-,$(FUZZ)) run-mutants

$(B)/test/fuzz/%: test/fuzz/%.c $(B)/libweights.a $(B)/libproto.a
	@mkdir -p $(@D)
	$(LINK) -fsanitize=fuzzer $(LIBS)

FUZZ_HTTP := $(call obj,server/http/head.c server/http/body.c server/http/query.c)
$(B)/test/fuzz/fuzz_http: LIBS += $(B)/libproto.a
$(B)/test/fuzz/fuzz_http: $(FUZZ_HTTP)

# the readers of images: by time, as files differ much in it, and longer than other messages
FUZZ_IMAGES := fuzz_png fuzz_jpeg fuzz_webp
FUZZ_SECONDS ?= 60
FUZZ_READERS := $(call obj,$(patsubst %,server/decoder/%.c,image facts reader canvas exif \
                  png_file jpeg_file webp_file))
$(addprefix $(B)/test/fuzz/,$(FUZZ_IMAGES)): $(FUZZ_READERS)
$(addprefix $(B)/test/fuzz/,$(FUZZ_IMAGES)): LIBS += $(B)/libproto.a
$(addprefix run-,$(FUZZ_IMAGES)): FUZZ_HOW = -max_total_time=$(FUZZ_SECONDS) -max_len=8192
FUZZ_HOW = -runs=$(FUZZ_RUNS) -max_len=4096

# damaged files through the process that decodes in the product, with its filter
FUZZ_HELPER := $(FUZZ_READERS) $(call obj,server/base/log.c \
                 $(patsubst %,server/decoder/%.c,helper helper_main launch sandbox warm_up))
$(B)/test/fuzz/mutants: test/server/decoder/test_mutants.c $(FUZZ_HELPER) $(B)/libproto.a
	@mkdir -p $(@D)
	$(LINK) -lcmocka $(LIBS)
run-mutants: $(B)/test/fuzz/mutants
	MUTANTS=100000 $<

$(addprefix run-,$(FUZZ)): run-%: $(B)/test/fuzz/%
	@python3 test/fuzz/seeds.py $(O)/corpus && mkdir -p $(O)/corpus/$*
	$< $(FUZZ_HOW) -seed=1 -timeout=10 -verbosity=0 -print_final_stats=1 \
	  -artifact_prefix=$(O)/corpus/$*- $(O)/corpus/$*
.PHONY: fuzz run-mutants $(addprefix run-,$(FUZZ))
