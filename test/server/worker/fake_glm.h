/* fake_glm - an engine for tests of the shell: the door's symbols, quanta without arithmetic.
 *
 * Included by one test's .c, so that the real kernels/glm.o is not linked. A picture's pixels
 * follow from its seed. What shall go wrong is set in `fake` before the engine is opened. */
#ifndef TEST_SERVER_WORKER_FAKE_GLM_H
#define TEST_SERVER_WORKER_FAKE_GLM_H

#include "kernels/glm_report.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct {
    int quantum_us;             /* a quantum's time */
    int save_us;                /* a save's */
    atomic_int open_fails;      /* so many glm_open fail */
    atomic_int step_fails_in;   /* the n-th glm_step from now fails; 0 none */
    atomic_int run_fails_in;    /* the n-th glm_run_new from now fails */
    atomic_int device_fails_in; /* the same, for want of a device */
    atomic_int save_fails_in;   /* the n-th glm_run_save from now fails, as the device does */
    atomic_int runs, engines;   /* alive now */
    atomic_int opened;
    int tokens; /* runs have tokens to be kept, 4 bytes */
} fake;

struct glm {
    int steps, learnt;
};
struct glm_run {
    struct glm_req req;
    enum glm_phase phase;
    int done, steps, stop;
};

static const int FAKE_QUANTA[GLM_PHASES] = {
    [GLM_GLYPH] = 1, [GLM_PRIOR] = 20, [GLM_DENOISE] = 10, [GLM_DECODE] = 2};

const char *glm_phase_name(enum glm_phase p)
{
    static const char *const names[] = {"glyph",   "vision", "encode", "prior",
                                        "denoise", "decode", "done"};

    return names[p];
}

static int fake_due(atomic_int *left)
{
    int n = atomic_load(left);

    return n > 0 && atomic_fetch_sub(left, 1) == 1;
}

int glm_devices(const char *list, glm_device out[LIMIT_DEVICES], struct fail *f)
{
    (void)list, (void)f;
    snprintf(out[0], sizeof *out, "none");
    return 1;
}

int glm_open(struct glm **out, const struct glm_opts *o, struct fail *f)
{
    *out = NULL;
    if (strcmp(o->model, "missing") == 0) return fail_set(f, ERR_MODEL, "There is no model here.");
    if (atomic_load(&fake.open_fails) > 0) {
        atomic_fetch_sub(&fake.open_fails, 1);
        return fail_set(f, ERR_DEVICE, "The device is gone.");
    }
    *out = calloc(1, sizeof **out);
    atomic_fetch_add(&fake.engines, 1);
    atomic_fetch_add(&fake.opened, 1);
    return 0;
}

int glm_preview_fit(struct glm *g, struct fail *f)
{
    (void)f;
    return ++g->learnt < 3;
}

void glm_close(struct glm *g)
{
    if (g) atomic_fetch_sub(&fake.engines, 1);
    free(g);
}

void glm_info(const struct glm *g, struct glm_info *out)
{
    (void)g;
    *out = (struct glm_info){.model = "fake",
                             .digest = "00",
                             .device = "none",
                             .own_memory = 1,
                             .type = "f32",
                             .memory_total = 4 << 20,
                             .memory_free = 4 << 20,
                             .memory_room = 3 << 20,
                             .side_max = 512,
                             .default_width = 64,
                             .default_height = 64,
                             .default_steps = 10,
                             .default_guidance = 1.5};
}

int glm_plan(const struct glm *g, const struct glm_req *r, struct glm_cost *out, struct fail *f)
{
    (void)g, (void)r, (void)f;
    *out = (struct glm_cost){.run_bytes = 1 << 20, .scratch_bytes = 1 << 19};
    for (int i = 0; i < GLM_PHASES; i++) {
        out->quanta[i] = FAKE_QUANTA[i];
        out->flops[i] = out->work[i] = FAKE_QUANTA[i] * 1e6;
    }
    return 0;
}

int glm_plan_batch(const struct glm *g, const struct glm_req *r, int n, uint64_t *scratch,
                   struct fail *f)
{
    (void)g, (void)r, (void)f;
    *scratch = (uint64_t)(n + 1) << 18;
    return 0;
}

unsigned glm_at_hand(const struct glm *g)
{
    (void)g;
    return ~0U;
}

void glm_decode_last(struct glm *g)
{
    (void)g;
}

int glm_reserve(struct glm *g, uint64_t scratch, struct fail *f)
{
    (void)g, (void)scratch, (void)f;
    return 0;
}

int glm_run_new(struct glm_run **out, struct glm *g, const struct glm_req *r, struct fail *f)
{
    (void)g;
    *out = NULL;
    if (fake_due(&fake.run_fails_in)) return fail_set(f, ERR_OUT_OF_MEMORY, "No device memory.");
    if (fake_due(&fake.device_fails_in)) return fail_set(f, ERR_DEVICE, "The device is gone.");
    if (r->skip_prior && (!r->tokens || r->tokens_len != 4))
        return fail_set(f, ERR_CONFLICT, "There are no tokens.");
    *out = calloc(1, sizeof **out);
    (*out)->req = *r;
    atomic_fetch_add(&fake.runs, 1);
    return 0;
}

void glm_run_free(struct glm_run *r)
{
    if (r) atomic_fetch_sub(&fake.runs, 1);
    free(r);
}

/* A checkpoint: the seed, the phase, the quanta of it. */
enum { FAKE_SAVED = 3 };

size_t glm_run_save_bytes(const struct glm_run *r)
{
    return r->phase == GLM_GLYPH ? 0 : FAKE_SAVED * sizeof(int64_t);
}

int glm_run_save(struct glm_run *r, void *out, struct fail *f)
{
    const int64_t saved[FAKE_SAVED] = {(int64_t)r->req.seed, r->phase, r->done};

    if (fake.save_us) nanosleep(&(struct timespec){.tv_nsec = fake.save_us * 1000L}, NULL);
    if (fake_due(&fake.save_fails_in)) return fail_set(f, ERR_DEVICE, "The device is gone.");
    memcpy(out, saved, sizeof saved);
    return 0;
}

int glm_run_load(struct glm_run **out, struct glm *g, const struct glm_req *q, const void *bytes,
                 size_t len, struct fail *f)
{
    int64_t saved[FAKE_SAVED];
    int err;

    *out = NULL;
    if (len != sizeof saved) return fail_set(f, ERR_CONFLICT, "the checkpoint is damaged");
    memcpy(saved, bytes, sizeof saved);
    if (saved[0] != (int64_t)q->seed) return fail_set(f, ERR_CONFLICT, "of another request");
    err = glm_run_new(out, g, q, f);
    if (err) return err;
    (*out)->phase = (enum glm_phase)saved[1];
    (*out)->done = (int)saved[2];
    (*out)->steps = saved[1] == GLM_DENOISE ? (int)saved[2] : 0;
    return 0;
}

static int fake_quanta(const struct glm_run *r)
{
    return r->phase == GLM_DENOISE && r->stop ? r->stop : FAKE_QUANTA[r->phase];
}

static void fake_next(struct glm_run *r)
{
    do
        r->phase = (enum glm_phase)(r->phase + 1);
    while (r->phase < GLM_DONE
           && (!FAKE_QUANTA[r->phase] || (r->phase == GLM_PRIOR && r->req.skip_prior)));
    r->done = 0;
}

int glm_run_finish(struct glm_run *r, int steps, struct fail *f)
{
    (void)f;
    if (r->phase > GLM_DENOISE || r->stop) return 0;
    r->stop = steps > r->steps ? steps : r->steps;
    if (r->phase == GLM_DENOISE && r->done >= r->stop) fake_next(r);
    return 0;
}

int glm_run_steps(const struct glm_run *r)
{
    return r->steps;
}

size_t glm_run_tokens_bytes(const struct glm_run *r)
{
    return fake.tokens && r->phase == GLM_DONE ? 4 : 0;
}

void glm_run_tokens(const struct glm_run *r, void *out)
{
    (void)r;
    memcpy(out, "abc", 4);
}

int glm_step(struct glm *g, struct glm_run **batch, int n, struct fail *f)
{
    g->steps++;
    if (fake.quantum_us) nanosleep(&(struct timespec){.tv_nsec = fake.quantum_us * 1000L}, NULL);
    if (fake_due(&fake.step_fails_in)) return fail_set(f, ERR_DEVICE, "The device is gone.");
    for (int i = 0; i < n; i++) {
        batch[i]->steps += batch[i]->phase == GLM_DENOISE;
        if (++batch[i]->done == fake_quanta(batch[i])) fake_next(batch[i]);
    }
    return 0;
}

struct glm_progress glm_run_progress(const struct glm_run *r)
{
    int all = 0, done = r->done;

    for (int i = 0; i < GLM_PHASES; i++) {
        all += FAKE_QUANTA[i];
        if (i < (int)r->phase) done += FAKE_QUANTA[i];
    }
    return (struct glm_progress){
        .phase = r->phase,
        .done = r->done,
        .total = r->phase == GLM_DONE ? 0 : fake_quanta(r),
        .left = r->phase == GLM_DONE ? 0 : 1 - (double)r->done / fake_quanta(r),
        .overall = (double)done / all};
}

int glm_run_failed(const struct glm_run *r, struct fail *f)
{
    (void)r, (void)f;
    return 0;
}

int glm_run_preview(struct glm_run *r, int longest, struct glm_picture *out, struct fail *f)
{
    (void)f;
    if (r->phase != GLM_PRIOR && r->phase != GLM_DENOISE) return 0;
    out->width = out->height = longest < 64 ? longest : 64;
    memset(out->rgb, r->done * 8, (size_t)out->width * (size_t)out->height * 3);
    return 1;
}

int glm_run_image(struct glm_run *r, struct glm_picture *out, struct fail *f)
{
    (void)f;
    out->width = r->req.width;
    out->height = r->req.height;
    for (size_t i = 0; i < (size_t)out->width * (size_t)out->height * 3; i++)
        out->rgb[i] = (uint8_t)(r->req.seed * 31 + i);
    return 0;
}

int glm_report_check(const char *model, FILE *out)
{
    fprintf(out, "%s\n", model);
    return 0;
}

int glm_report_plan(const struct glm_opts *o, const struct glm_req *r, FILE *out, struct fail *f)
{
    (void)o, (void)r, (void)out, (void)f;
    return 0;
}

int glm_report_trace(const struct glm_opts *o, const char *like, const char *out_path,
                     struct fail *f)
{
    (void)o, (void)like, (void)out_path, (void)f;
    return 0;
}

int glm_report_sampling(const struct glm_opts *o, const char *logits, const char *out_path,
                        struct fail *f)
{
    (void)o, (void)logits, (void)out_path, (void)f;
    return 0;
}

#endif
