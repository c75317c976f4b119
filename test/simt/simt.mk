# simt - the CUDA device and its kernels on an emulated GPU: this folder stands in for CUDA, so
# kernels/cuda runs on the processor. Its tests and the programs of bench/gpu.sh are built on it.
SIMT := $(B)/simt
SIMT_OBJ := $(CUDA_SRC:kernels/cuda/%.cu=$(SIMT)/%.o) $(CUDA_C:kernels/cuda/%.c=$(SIMT)/%.o) \
            $(patsubst test/simt/%.cc,$(SIMT)/%.o,$(wildcard test/simt/*.cc)) \
            $(call obj,test/simt/pair.c test/simt/cases.c test/simt/condition_cases.c)
# the emulated GPU is one thread, so without races; its fibers cost the address sanitizer a second
# a token
SIMT_SLOW_asan := %/test_faults.c %/test_residency.c
SIMT_SLOW_tsan := %
SIMT_TESTS := $(filter-out $(SIMT_SLOW_$(FLAVOUR)),$(wildcard test/simt/test_*.c))
TESTS += $(SIMT_TESTS)
SIMT_CXX = -std=c++17 $(OPT_$(FLAVOUR)) -I. -Wall -Wextra -MMD -MP

$(SIMT)/%.o: kernels/cuda/%.cu
	@mkdir -p $(@D)
	$(CC) -x c++ $(SIMT_CXX) -DSIMT -include test/simt/simt.h -Wno-unknown-pragmas -c -o $@ $<
$(SIMT)/%.o: kernels/cuda/%.c
	@mkdir -p $(@D)
	$(CC) -Itest/simt $(CFLAGS) $(SYS) -c -o $@ $<
$(SIMT)/%.o: test/simt/%.cc
	@mkdir -p $(@D)
	$(CC) $(SIMT_CXX) -c -o $@ $<

$(SIMT)/%.o: bench/%.c
	@mkdir -p $(@D)
	$(CC) -Itest/simt $(CFLAGS) $(SYS) -c -o $@ $<

SIMT_LINK = $(CC) -Itest/simt $(CFLAGS) $(SYS) $(LDFLAGS) -o $@ $< $(filter %.o %.a,$^)
$(SIMT_TESTS:%.c=$(B)/%): $(B)/%: %.c $(SIMT_OBJ) $(ARCHIVES)
	@mkdir -p $(@D)
	$(SIMT_LINK) -lcmocka $(LIBS) -lstdc++ -ldl

# has libraries of its own
$(B)/test/simt/test_libraries: SIMT_LINK = $(CC) -Itest/simt $(CFLAGS) $(SYS) $(LDFLAGS) -o $@ $< \
  $(filter-out %/cudnn.o %/cublaslt.o,$(filter %.o %.a,$^))

SIMT_BENCH := $(patsubst %,$(B)/emulated/%,gpu_speed gpu_stage gpu_engine)
emulated: $(SIMT_BENCH) ## the GPU command's programs without a GPU (bench/gpu.sh --emulated)
$(B)/emulated/%: bench/%.c $(SIMT)/gpu_net.o $(SIMT)/gpu_meter.o $(SIMT_OBJ) $(ARCHIVES)
	@mkdir -p $(@D)
	$(SIMT_LINK) $(LIBS) -lstdc++ -ldl
.PHONY: emulated
