# isa - every file of this folder is built once for each instruction set; the program picks one at
# start, by what the processor has.
ISA_SRC := $(wildcard kernels/cpu/isa/*.c)
ISAS := $(if $(filter x86_64,$(shell uname -m)),base avx2 avx512 avx512bf amx,base)
ISA_base :=
ISA_avx2 := -mavx2 -mfma -mf16c
ISA_avx512 := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mfma -mprefer-vector-width=512
ISA_avx512bf := $(ISA_avx512) -mavx512bf16
ISA_amx := $(ISA_avx512bf) -mamx-tile -mamx-bf16
ISA_OBJ := $(foreach i,$(ISAS),$(ISA_SRC:%.c=$(B)/%.$(i).o))

define isa_rule
$(B)/%.$(1).o: %.c
	@mkdir -p $$(@D)
	$$(CC) $$(CFLAGS) $$(SYS) $$(ISA_$(1)) -DISA=$(1) -c -o $$@ $$<
endef
$(foreach i,$(ISAS),$(eval $(call isa_rule,$(i))))
