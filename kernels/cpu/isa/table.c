/* table - one instruction set's functions in one struct. */
#include "kernels/cpu/isa/names.h"

const struct isa ISA_CAT(isa, ISA) = {
    .name = ISA_STR(ISA),
    .nr = GEMM_NR,
    .unit = GEMM_UNIT,
    .rows = GEMM_ROWS,
    .cols = GEMM_COLS,
    .ldc = GEMM_LDC,
    .has_dp = HAS_DP,
    .gemm = {NAME(gemm_f32), NAME(gemm_bf), NAME(gemm_dp)},
    .conv = {NAME(conv_f32), NAME(conv_bf)},
    .lines = NAME(lines),
    .im2col = NAME(im2col),
    .rms = NAME(rms),
    .ln = NAME(ln),
    .ln_mod = NAME(ln_mod),
    .gate_add = NAME(gate_add),
    .qk = NAME(qk),
    .rope = NAME(rope),
    .glu = NAME(glu),
    .add_act = NAME(add_act),
    .attn_work = NAME(attn_work),
    .attn = NAME(attn),
    .gn_sums = NAME(gn_sums),
    .gn_apply = NAME(gn_apply),
};
