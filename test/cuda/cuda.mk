# cuda - cuDNN's plans, proven without a GPU: the test is built where cuDNN's headers and libraries
# are in build/cuda-libs (make cuda-deps), and the driver's place is taken by libcuda.c.
PLANS := $(B)/test/cuda/test_plans
PLANS_DIR := $(abspath $(O))/cuda-libs/nvidia
PLANS_OBJ := $(patsubst %,$(B)/plans/%.o,test/cuda/shapes kernels/cuda/conv kernels/cuda/device \
                          kernels/cuda/cudnn_graph kernels/cuda/cudnn_plan kernels/cuda/dlopen)
PLANS_INC = $(CUDA_INC) $(PLANS_DIR)/cu13/include $(PLANS_DIR)/cudnn/include
PLANS_SYS = $(addprefix -isystem ,$(PLANS_INC)) \
            -DCUDA_LIB_PATH='"$(PLANS_DIR)/cudnn/lib:$(PLANS_DIR)/cu13/lib"'
ifeq ($(FLAVOUR),release)
TESTS += $(if $(wildcard $(PLANS_DIR)/cudnn/include/cudnn.h),test/cuda/test_plans.c)
endif

$(B)/plans/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(PLANS_SYS) -c -o $@ $<
# its name inside is the driver's: cuDNN finds it loaded
$(B)/plans/libcuda.so: test/cuda/libcuda.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -shared -fPIC -Wl,-soname,libcuda.so.1 -o $@ $<
	@ln -sf libcuda.so $(@D)/libcuda.so.1
$(PLANS): $(B)/plans/test/cuda/test_plans.o $(PLANS_OBJ) $(B)/plans/libcuda.so $(ARCHIVES)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) -Wl,--no-as-needed $(B)/plans/libcuda.so \
	  -Wl,--as-needed '-Wl,-rpath,$$ORIGIN/../../plans' $(LIBS) -ldl

cuda-check: ## cuDNN's plans and gemv's machine code, without a GPU (installs cuda-deps, 1 GB)
	@[ -e "$(PLANS_DIR)/cudnn/include/cudnn.h" ] || $(MAKE) --no-print-directory cuda-deps
	@$(MAKE) --no-print-directory $(PLANS)
	@$(PLANS)
	@python3 test/cuda/test_sass.py
.PHONY: cuda-check
