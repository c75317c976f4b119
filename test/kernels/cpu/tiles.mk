# tiles - the files of kernels/cpu/isa for a matrix unit emulated in C: one more instruction set,
# for the tests of operations.
ISA_emulated := -include test/kernels/cpu/tiles.h
$(eval $(call isa_rule,emulated))
TILES_OBJ := $(ISA_SRC:%.c=$(B)/%.emulated.o)
$(patsubst %,$(B)/test/kernels/%,test_ops test_conv_ops test_condition_ops test_attention \
  test_dev cpu/test_amx): $(TILES_OBJ)
