/* ending - an end on its way to the disk and to its viewers. Thread: the loop's. */
#ifndef SERVER_CORE_ENDING_H
#define SERVER_CORE_ENDING_H

#include "server/core/core.h"

/* The answers of the disk and of the encoder, as hub.h has them. */
void ending_stored(struct hub *, int64_t now, uint64_t job, const struct fail *why);
void ending_encoded(struct hub *, int64_t now, uint64_t job, struct blob *file, const char *digest,
                    const struct fail *why);
/* The store has answered, whatever it was: one answer less is owed, and so is the disk. */
void ending_answered(struct hub *, int64_t now, const struct fail *why);
/* What is known of the disk: why it takes nothing, or NULL: it does. */
void ending_disk(struct hub *, int64_t now, const struct fail *why);
/* Try again ends that the disk or memory refused; due at again_us. */
void ending_again(struct hub *, int64_t now);

#endif
