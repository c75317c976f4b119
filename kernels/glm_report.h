/* glm_report - the engine's second door, for the command line alone: it prints what is inside.
 *
 * Text goes to `out`, the result is 0 or a negative enum err. Thread: any; each opens an engine of
 * its own. Only server/cli includes it (test/rules/layers.sh). */
#ifndef KERNELS_GLM_REPORT_H
#define KERNELS_GLM_REPORT_H

#include "kernels/glm.h"

#include <stdio.h>

/* `darkroom check`: what the folder holds, or the first ten things that are wrong. */
int glm_report_check(const char *model, FILE *out);
/* `darkroom plan`: bytes by lifetime and FLOPs by phase of one request; mode and number at a time
 * on GPUs of the usual sizes, or of opts.vram. The model's configuration is enough. */
int glm_report_plan(const struct glm_opts *, const struct glm_req *, FILE *out, struct fail *);
/* `darkroom trace`: request and injections from a reference trace, every stage to `out_path`. */
int glm_report_trace(const struct glm_opts *, const char *like, const char *out_path,
                     struct fail *);
/* The sampling rule applied to the tensor `logits` of a file: writes `probs` and `kept`. */
int glm_report_sampling(const struct glm_opts *, const char *logits, const char *out_path,
                        struct fail *);

#endif
