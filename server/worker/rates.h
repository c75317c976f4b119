/* rates - what was measured of a model on a device, kept in the data folder for the next start.
 *
 * One small text file for each model digest, device and number of threads, written beside and
 * renamed, without fsync: losing it costs the first estimates their precision and nothing else. A
 * file that is damaged, of another version or of another key is ignored. Thread: any, no state. */
#ifndef SERVER_WORKER_RATES_H
#define SERVER_WORKER_RATES_H

#include "kernels/glm.h"
#include "server/core/effects.h"

enum { RATES_KEY = 320 };

/* What the rates belong to: digest and device, which names its threads and number format. */
void rates_key(const struct glm_info *, char key[RATES_KEY]);
/* 0; ERR_NOT_FOUND: none were kept; ERR_IO: they cannot be used, and why. */
int rates_load(const char *folder, const char *key, struct eta_known *out, struct fail *f);
int rates_save(const char *folder, const char *key, const struct eta_known *, struct fail *f);

#endif
