/* checkpoints - where a running picture stands, on disk: one file a job, replaced again and again.
 *
 * A thread of its own hashes and writes, as a job that is accepted meanwhile must not wait for
 * megabytes. A file is its BLAKE2b-256, then the checkpoint. It is written aside and renamed
 * without fsync: after a kill it is whole, after a power cut the digest decides. It is worth a part
 * of one picture's time, so whatever the disk refuses is logged once and given up, and the last
 * bytes of a disk are left to rows and results.
 *
 *   <data>/checkpoints/0123456789abcdef   until the job's end is stored
 *
 * Thread: checkpoints_open and checkpoints_close belong to one thread, the others to any. */
#ifndef SERVER_STORE_CHECKPOINTS_H
#define SERVER_STORE_CHECKPOINTS_H

#include "proto/fail.h"
#include "server/base/blob.h"
#include "server/base/log.h"
#include "server/base/mbox.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct checkpoints {
    int data; /* the data folder */
    struct log *log;
    struct mbox box;
    pthread_t thread;
    bool running;
    bool refused; /* the thread's: the disk takes none */
};

/* Removes what belongs to no job that `waits`, then starts the thread. c is all zero; on failure
 * checkpoints_close() is still due. ERR_OUT_OF_MEMORY. A folder that cannot be read is logged. */
int checkpoints_open(struct checkpoints *c, int data, struct log *log,
                     bool (*waits)(void *arg, uint64_t job), void *arg, struct fail *f);
/* Writes what still waits, then ends the thread. */
void checkpoints_close(struct checkpoints *);

/* Replace a job's checkpoint, and remove it; in the order of the calls. The blob is referenced
 * until it is written, and the bytes in front of it are overwritten (blob.h). */
void checkpoints_write(struct checkpoints *, uint64_t job, struct blob *);
void checkpoints_remove(struct checkpoints *, uint64_t job);

/* A job's checkpoint from the data folder, the caller's reference; NULL: there is none, it is
 * damaged, or memory is short. */
struct blob *checkpoints_read(int data, uint64_t job);

#endif
