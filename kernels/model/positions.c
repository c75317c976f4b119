/* positions - M-RoPE triples, rotation tables. */
#include "kernels/model/positions.h"

#include "weights/safetensors/dtype.h"

#include <assert.h>
#include <math.h>

static struct position *one_grid(struct position *out, int *p, struct grid g)
{
    for (int r = 0; r < g.rows; r++)
        for (int c = 0; c < g.cols; c++)
            *out++ = (struct position){*p, *p + r, *p + c};
    *p += g.rows > g.cols ? g.rows : g.cols;
    return out;
}

int positions_prompt(struct position *out, const int32_t *ids, int n, int32_t image,
                     const struct grid *grid, int grids)
{
    int p = 0;

    for (int i = 0; i < n;) {
        if (ids[i] == image && grids) {
            one_grid(out + i, &p, *grid);
            i += grid->rows * grid->cols;
            grid++;
            grids--;
        } else {
            out[i++] = (struct position){p, p, p};
            p++;
        }
    }
    return p;
}

void positions_samples(struct position *out, int start, struct grid preview, struct grid large)
{
    int p = start;

    out = one_grid(out, &p, preview);
    out = one_grid(out, &p, large);
    *out = (struct position){p, p, p};
}

/* 1 / base^(2i/n), every step rounded to float, the power correctly. */
static float frequency(float base, int i, int n)
{
    float exponent = (float)(2 * i) / (float)n;

    return 1.0f / (float)pow((double)base, (double)exponent);
}

static float maybe_round(float x, int round)
{
    return round ? bf16_to_f32(f32_to_bf16(x)) : x;
}

void positions_prior_table(float *out, const struct ar_config *c, const struct position *pos, int n,
                           int round)
{
    int half = c->rotary / 2, i = 0;

    for (int b = 0; b < c->sections; b++) {
        for (int end = i + c->section[b]; i < end; i++) {
            float f;

            assert(i < half);
            f = frequency(c->theta, i, c->rotary);
            for (int k = 0; k < n; k++) {
                int32_t p = b % 3 == 0 ? pos[k].t : b % 3 == 1 ? pos[k].h : pos[k].w;
                float angle = (float)p * f, *row = out + (int64_t)k * c->rotary;

                row[i] = maybe_round((float)cos((double)angle), round);
                row[half + i] = maybe_round((float)sin((double)angle), round);
            }
        }
    }
}

void positions_patch_rows(float *out, int head_dim, int cols, int64_t first, int64_t n)
{
    int quarter = head_dim / 4, half = head_dim / 2;

    for (int j = 0; j < quarter; j++) {
        float f = frequency(CONFIG_DIT_THETA, j, half);

        for (int64_t k = 0; k < n; k++) {
            float *row = out + k * head_dim;
            float ar = (float)((first + k) / cols) * f, ac = (float)((first + k) % cols) * f;

            row[j] = (float)cos((double)ar);
            row[half + j] = (float)sin((double)ar);
            row[quarter + j] = (float)cos((double)ac);
            row[half + quarter + j] = (float)sin((double)ac);
        }
    }
}

void positions_patch_table(float *out, int head_dim, int rows, int cols)
{
    positions_patch_rows(out, head_dim, cols, 0, (int64_t)rows * cols);
}
