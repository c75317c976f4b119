# cuda - where CUDA is, for which cards its kernels are built, what of it the product takes.
#   CUDA       auto builds it where nvcc, cuBLASLt and cuDNN are, 0 never, 1 with what there is
#   CUDA_ON    not empty: the product has the CUDA device, else its stub
#   CUDA_OBJ   the kernels as nvcc makes them; they stay when the flavour or a C file changes
# The binary starts without any library of CUDA: cudart is linked in, cuBLASLt and cuDNN are opened
# with the first card.
ifneq ($(CUDA),0)
$(foreach v,$(shell kernels/cuda/find.sh $(abspath $(O)) | tr ' ' ,),$(eval $(v)))
endif
comma := ,
LIB_DIRS := $(subst $(comma), ,$(LIB_INC))
CUDA_ON := $(and $(filter release,$(FLAVOUR)),$(CUDA_LIB),\
                 $(or $(filter 1,$(CUDA)),$(word 2,$(LIB_DIRS))))
ifeq ($(CUDA)$(CUDA_LIB),1)
$(error CUDA=1, but there is no nvcc)
endif
ifeq ($(CUDA_ON)$(CUDA)$(FLAVOUR),autorelease)
$(if $(CUDA_LIB),$(info CUDA is left out: nvcc is here$(comma) \
  the headers of cuBLASLt or cuDNN are not (make cuda-deps)))
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

$(CUDA_OBJ): $(CUDA_DIR)/%.o: %.cu
	@mkdir -p $(@D)
	nice $(NVCC) $(NVFLAGS) -MMD -MP -MF $(@:.o=.d) -c -o $@ $<
$(B)/kernels/cuda/%.o: SYS += $(CUDA_SYS)

# the versions that PyTorch 2.11 pins: a machine with a GPU may have others, found at run time; and
# the disassembler with which test/cuda reads machine code
CUDA_DEPS := nvidia-cudnn-cu13==9.19.0.56 nvidia-cublas==13.1.0.3 nvidia-cuda-nvrtc==13.0.88 \
             nvidia-cuda-runtime==13.0.96 nvidia-cuda-crt==13.0.88 nvidia-cuda-nvdisasm==13.2.51
cuda-deps: ## cuBLASLt, cuDNN and NVRTC from PyPI into build/ (1 GB)
	python3 -m pip install -q --no-deps --upgrade --target $(O)/cuda-libs $(CUDA_DEPS)
.PHONY: cuda-deps
