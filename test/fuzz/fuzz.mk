# fuzz - every reader of untrusted input under random bytes, one program each (clang, libFuzzer).
FUZZ_DEPS := clang libclang-rt-dev
FUZZ_RUNS ?= 200000
FUZZ := $(basename $(notdir $(wildcard test/fuzz/fuzz_*.c)))

fuzz: ## feed random bytes to every reader of untrusted input (FUZZ_RUNS=200000 each)
	@test/deps $(DEPS) $(FUZZ_DEPS)
	@$(MAKE) --no-print-directory FLAVOUR=fuzz CC=clang $(addprefix run-,$(FUZZ))

$(B)/test/fuzz/%: test/fuzz/%.c $(B)/libweights.a $(B)/libproto.a
	@mkdir -p $(@D)
	$(LINK) -fsanitize=fuzzer $(LIBS)

FUZZ_HTTP := $(call obj,server/http/head.c server/http/body.c server/http/query.c)
$(B)/test/fuzz/fuzz_http: LIBS += $(B)/libproto.a
$(B)/test/fuzz/fuzz_http: $(FUZZ_HTTP)

$(addprefix run-,$(FUZZ)): run-%: $(B)/test/fuzz/%
	@python3 test/fuzz/seeds.py $(O)/corpus && mkdir -p $(O)/corpus/$*
	$< -runs=$(FUZZ_RUNS) -seed=1 -max_len=4096 -timeout=10 -verbosity=0 -print_final_stats=1 \
	  -artifact_prefix=$(O)/corpus/$*- $(O)/corpus/$*
.PHONY: fuzz $(addprefix run-,$(FUZZ))
