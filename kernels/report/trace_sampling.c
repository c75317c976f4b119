/* trace_sampling - the sampling rule by itself: probabilities of given logits, as the reference
 * computes them. */
#include "kernels/report/trace_sampling.h"

#include "kernels/glm_report.h"
#include "kernels/report/trace_file.h"
#include "kernels/sampling.h"
#include "weights/safetensors/safetensors_write.h"

#include <stdlib.h>
#include <string.h>

static struct sampling sampling_of(const struct sample_config *c)
{
    return (struct sampling){.temperature = c->temperature, .top_p = c->top_p, .top_k = c->top_k};
}

int trace_sampling_probs(float *probs, int64_t *kept, const float *logits, int64_t rows, int n,
                         const struct sample_config *c, struct fail *f)
{
    const struct sampling sampling = sampling_of(c);
    int32_t *ids = calloc((size_t)n, sizeof *ids);
    float *p = calloc((size_t)n, sizeof *p);
    void *work = malloc(sampling_work(n));
    int err = ids && p && work ? 0 : fail_set(f, ERR_OUT_OF_MEMORY, "no memory for %d logits", n);

    for (int64_t r = 0; r < rows && !err; r++) {
        int count = sampling_keep(ids, p, logits + r * n, n, &sampling, work);

        memset(probs + r * n, 0, (size_t)n * sizeof *probs);
        for (int i = 0; i < count; i++)
            probs[r * n + ids[i]] = p[i];
        if (kept) kept[r] = count;
    }
    free(ids);
    free(p);
    free(work);
    return err;
}

static int write_sampling(const char *path, const float *probs, const int64_t *kept, int64_t rows,
                          int n, struct fail *f)
{
    struct safetensors_entry e[2] = {
        {.name = "probs", .dtype = DTYPE_F32, .nd = 2, .dim = {rows, n}, .data = probs},
        {.name = "kept", .dtype = DTYPE_I64, .nd = 1, .dim = {rows}, .data = kept},
    };

    return safetensors_write(path, e, 2, NULL, 0, f);
}

static int apply(const struct stored_tensor *t, const struct sample_config *c, const char *path,
                 struct fail *f)
{
    int64_t rows, n, *kept;
    float *logits, *probs;
    int err;

    if (!t || t->nd != 2 || t->dim[1] < 1 || t->dim[1] > INT32_MAX)
        return fail_set(f, ERR_USAGE, "the file has no tensor `logits` [rows, vocabulary]");
    rows = t->dim[0];
    n = t->dim[1];
    logits = calloc((size_t)t->count + 1, sizeof *logits);
    probs = calloc((size_t)t->count + 1, sizeof *probs);
    kept = calloc((size_t)rows + 1, sizeof *kept);
    err = logits && probs && kept ? 0 : fail_set(f, ERR_OUT_OF_MEMORY, "no memory for the logits");
    if (!err && dtype_to_f32(t, 0, t->count, logits))
        err = fail_set(f, ERR_USAGE, "`logits` are no floats");
    if (!err) err = trace_sampling_probs(probs, kept, logits, rows, (int)n, c, f);
    if (!err) err = write_sampling(path, probs, kept, rows, (int)n, f);
    free(logits);
    free(probs);
    free(kept);
    return err;
}

int glm_report_sampling(const struct glm_opts *o, const char *logits, const char *out_path,
                        struct fail *f)
{
    struct model_config *c = calloc(1, sizeof *c);
    struct safetensors *file = NULL;
    int err = c ? config_load(c, o->model, f) : fail_set(f, ERR_OUT_OF_MEMORY, "no memory");

    if (!err) err = trace_file_open(&file, logits, f);
    if (!err) err = apply(safetensors_find(file, "logits"), &c->sample, out_path, f);
    safetensors_close(file);
    free(c);
    return err;
}
