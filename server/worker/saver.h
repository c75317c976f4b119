/* saver - checkpoints of the runs on a device: when one is taken, and what a run begins with.
 *
 * A resident that may be saved is, when SAVER_US and a twentieth of its run have passed since the
 * last time and its last checkpoint has been written or refused; as long as saves take no more than
 * a hundredth of the device's time. Copying is all that happens here: the store hashes and writes.
 * Thread: the worker's. */
#ifndef SERVER_WORKER_SAVER_H
#define SERVER_WORKER_SAVER_H

#include "server/base/blob.h"
#include "server/base/log.h"
#include "server/worker/residents.h"

enum { SAVER_US = 2000000 };

struct saver {
    struct log *log;
    /* The newest checkpoint of a job on disk, the caller's reference; NULL: none. Called on the
     * worker's thread. May be NULL itself. */
    struct blob *(*recall)(void *arg, uint64_t job);
    void *arg;
    int64_t busy_us, save_us; /* device time of quanta, of saves */
    int64_t last_us;          /* of the last save */
};

/* A run of a job: from the checkpoint, else with `keep` from the one on disk, else, and where that
 * is not for this engine, from the beginning. *resumed: not from the beginning. 0 or an error of
 * glm_run_new(). */
int saver_begin(struct saver *, struct glm *, const struct glm_req *, const struct resident *,
                struct blob *checkpoint, struct glm_run **out, bool *resumed, struct fail *f);
/* Of a resident that has just moved on: a checkpoint if one is due, the caller's reference, else
 * NULL. ERR_DEVICE: the device failed; else 0. */
int saver_look(struct saver *, struct resident *, struct blob **out, struct fail *f);
/* At once. *out NULL: the run is at its beginning, or an error. ERR_DEVICE, ERR_OUT_OF_MEMORY. */
int saver_save(struct saver *, const struct resident *, struct blob **out, struct fail *f);

#endif
