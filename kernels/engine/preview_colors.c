/* preview_colors - least squares from latents to colours, mean colours of codes, and the file that
 * keeps them. */
#include "kernels/engine/preview_colors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LATENT_PIXELS = 8, CODE_LATENTS = 4 };
static const char MAGIC[16] = "darkroom maps 1";

int preview_colors_new(struct preview_colors *m, int channels, int codes, struct fail *f)
{
    *m = (struct preview_colors){.channels = channels, .codes = codes};
    m->latent = calloc(3 * ((size_t)channels + 1), sizeof *m->latent);
    m->code = calloc((size_t)codes, 3);
    if (m->latent && m->code) return 0;
    preview_colors_free(m);
    return fail_set(f, ERR_OUT_OF_MEMORY, "no memory for preview colours");
}

void preview_colors_free(struct preview_colors *m)
{
    free(m->latent);
    free(m->code);
    *m = (struct preview_colors){0};
}

int preview_colors_fit_new(struct preview_colors_fit *a, int channels, int codes, struct fail *f)
{
    size_t n = (size_t)channels + 1;

    *a = (struct preview_colors_fit){.channels = channels, .codes = codes};
    a->xx = calloc(n * n, sizeof *a->xx);
    a->xy = calloc(n * 3, sizeof *a->xy);
    a->sum = calloc((size_t)codes * 3, sizeof *a->sum);
    a->seen = calloc((size_t)codes, sizeof *a->seen);
    if (a->xx && a->xy && a->sum && a->seen) return 0;
    preview_colors_fit_free(a);
    return fail_set(f, ERR_OUT_OF_MEMORY, "no memory to learn preview colours");
}

void preview_colors_fit_free(struct preview_colors_fit *a)
{
    free(a->xx);
    free(a->xy);
    free(a->sum);
    free(a->seen);
    *a = (struct preview_colors_fit){0};
}

/* Mean colour of the pixels under latent (y, x). */
static void cell_colour(const uint8_t *rgb, int w, int y, int x, double out[3])
{
    int64_t row = (int64_t)w * LATENT_PIXELS;

    for (int c = 0; c < 3; c++) {
        int sum = 0;

        for (int j = 0; j < LATENT_PIXELS; j++)
            for (int i = 0; i < LATENT_PIXELS; i++)
                sum += rgb[((y * LATENT_PIXELS + j) * row + x * LATENT_PIXELS + i) * 3 + c];
        out[c] = (double)sum / (LATENT_PIXELS * LATENT_PIXELS);
    }
}

static double number(const struct preview_colors_fit *a, const float *latents, int64_t cells,
                     int64_t at, int k)
{
    return k < a->channels ? (double)latents[k * cells + at] : 1.0;
}

static void add_latent(struct preview_colors_fit *a, const float *latents, int64_t cells,
                       int64_t at, const double colour[3])
{
    int n = a->channels + 1;

    for (int i = 0; i < n; i++) {
        double v = number(a, latents, cells, at, i);

        for (int j = 0; j <= i; j++)
            a->xx[i * n + j] += v * number(a, latents, cells, at, j);
        for (int c = 0; c < 3; c++)
            a->xy[i * 3 + c] += v * colour[c];
    }
}

static void add_code(struct preview_colors_fit *a, int32_t code, const double colour[3])
{
    if (code < 0 || code >= a->codes) return;
    a->seen[code]++;
    for (int c = 0; c < 3; c++)
        a->sum[3 * code + c] += colour[c];
}

void preview_colors_fit_add(struct preview_colors_fit *a, const uint8_t *rgb, int h, int w,
                            const float *latents, const int32_t *codes)
{
    int64_t cells = (int64_t)h * w;

    for (int64_t at = 0; at < cells; at++) {
        int y = (int)(at / w), x = (int)(at % w);
        double colour[3];

        cell_colour(rgb, w, y, x, colour);
        if (latents) add_latent(a, latents, cells, at, colour);
        if (codes)
            add_code(a, codes[y / CODE_LATENTS * (w / CODE_LATENTS) + x / CODE_LATENTS], colour);
    }
}

/* Solve (xx + a little) m = xy by Cholesky, in place: xx lower triangle, xy becomes m [n, 3]. */
static void solve(double *xx, double *xy, int n)
{
    double ridge = 1e-6 * (xx[n * n - 1] + 1);

    for (int i = 0; i < n; i++) {
        xx[i * n + i] += ridge;
        for (int j = 0; j <= i; j++) {
            double s = xx[i * n + j];

            for (int k = 0; k < j; k++)
                s -= xx[i * n + k] * xx[j * n + k];
            xx[i * n + j] = i == j ? sqrt(s > ridge * 1e-6 ? s : ridge * 1e-6) : s / xx[j * n + j];
        }
    }
    for (int c = 0; c < 3; c++) {
        for (int i = 0; i < n; i++) {
            for (int k = 0; k < i; k++)
                xy[i * 3 + c] -= xx[i * n + k] * xy[k * 3 + c];
            xy[i * 3 + c] /= xx[i * n + i];
        }
        for (int i = n - 1; i >= 0; i--) {
            for (int k = i + 1; k < n; k++)
                xy[i * 3 + c] -= xx[k * n + i] * xy[k * 3 + c];
            xy[i * 3 + c] /= xx[i * n + i];
        }
    }
}

static uint8_t byte_of(double v)
{
    return (uint8_t)lrint(v < 0 ? 0 : v > 255 ? 255 : v);
}

void preview_colors_fit_code(const struct preview_colors_fit *a, struct preview_colors *m)
{
    double all[3] = {0}, seen = 0;

    for (int i = 0; i < a->codes; i++) {
        seen += (double)a->seen[i];
        for (int c = 0; c < 3; c++)
            all[c] += a->sum[3 * i + c];
    }
    for (int i = 0; i < a->codes; i++)
        for (int c = 0; c < 3; c++)
            m->code[3 * i + c] = byte_of(a->seen[i] ? a->sum[3 * i + c] / (double)a->seen[i]
                                                    : all[c] / (seen + 1e-9));
}

void preview_colors_fit_latent(struct preview_colors_fit *a, struct preview_colors *m)
{
    int n = a->channels + 1;

    solve(a->xx, a->xy, n);
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < n; i++)
            m->latent[c * n + i] = (float)a->xy[i * 3 + c];
}

void preview_colors_show(const struct preview_colors *m, uint8_t *rgb, const float *latents, int h,
                         int w)
{
    int64_t cells = (int64_t)h * w, row = (int64_t)w * LATENT_PIXELS;

    for (int64_t y = 0; y < h * LATENT_PIXELS; y++)
        for (int64_t x = 0; x < row; x++)
            for (int c = 0; c < 3; c++) {
                const float *map = m->latent + c * (m->channels + 1);
                double v = (double)map[m->channels];

                for (int i = 0; i < m->channels; i++)
                    v += (double)map[i]
                         * (double)latents[i * cells + y / LATENT_PIXELS * w + x / LATENT_PIXELS];
                rgb[(y * row + x) * 3 + c] = byte_of(v);
            }
}

/* --- the file: magic, channels, codes, the two tables ----------------------------------------- */

static int path_of(char *out, size_t size, const char *dir, const char *digest, const char *end)
{
    return snprintf(out, size, "%s/preview-%s%s", dir, digest, end) < (int)size ? 0 : -1;
}

static int all_finite(const float *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(v[i])) return 0;
    return 1;
}

int preview_colors_load(struct preview_colors *m, const char *dir, const char *digest)
{
    char path[4096], magic[sizeof MAGIC];
    int32_t head[2];
    size_t floats = 3 * ((size_t)m->channels + 1), bytes = 3 * (size_t)m->codes;
    FILE *f;
    int good;

    if (path_of(path, sizeof path, dir, digest, "")) return 0;
    f = fopen(path, "rbe");
    if (!f) return 0;
    good = fread(magic, sizeof magic, 1, f) == 1 && !memcmp(magic, MAGIC, sizeof magic)
           && fread(head, sizeof head, 1, f) == 1 && head[0] == m->channels && head[1] == m->codes
           && fread(m->latent, sizeof(float), floats, f) == floats
           && fread(m->code, 1, bytes, f) == bytes && fgetc(f) == EOF
           && all_finite(m->latent, floats);
    fclose(f);
    return good;
}

static int write_to(FILE *f, const struct preview_colors *m)
{
    int32_t head[2] = {m->channels, m->codes};
    size_t floats = 3 * ((size_t)m->channels + 1), bytes = 3 * (size_t)m->codes;

    return fwrite(MAGIC, sizeof MAGIC, 1, f) == 1 && fwrite(head, sizeof head, 1, f) == 1
           && fwrite(m->latent, sizeof(float), floats, f) == floats
           && fwrite(m->code, 1, bytes, f) == bytes && !fflush(f);
}

int preview_colors_save(const struct preview_colors *m, const char *dir, const char *digest,
                        struct fail *f)
{
    char path[4096], temp[4096], end[32];
    FILE *out;
    int good;

    snprintf(end, sizeof end, ".%ld", (long)getpid());
    if (path_of(path, sizeof path, dir, digest, "") || path_of(temp, sizeof temp, dir, digest, end))
        return fail_set(f, ERR_IO, "the cache folder's path is too long");
    mkdir(dir, 0777); /* there already, or fopen says why not */
    out = fopen(temp, "wbe");
    good = out && write_to(out, m);
    if (out && fclose(out)) good = 0;
    if (good && !rename(temp, path)) return 0;
    unlink(temp);
    return fail_set(f, ERR_IO, "cannot write %s", path);
}
