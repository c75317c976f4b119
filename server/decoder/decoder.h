/* decoder - pictures of strangers become pixels, one after the other, in a process without
 * privileges.
 *
 * The loop makes a struct decoding (server/events.h) with the file's bytes, gives it to
 * decoder_push() and gets it back in its mailbox as one LOOP_DECODED: with pixels and what was
 * changed in making them (facts.h), or with why not. The file's reference comes back
 * either way.
 *
 *   loop's thread   --mailbox-->  decoder's thread  --socket, shared memory-->  its process
 *        ^------------LOOP_DECODED-----'
 *
 * The thread sleeps while the process works, so neither a picture that takes long nor one that
 * kills the process is felt elsewhere: that picture gets an error, the next one a new process
 * (helper.h, which has the limits of time and memory). Answers keep the order of the pushes.
 * Thread: the loop's. */
#ifndef SERVER_DECODER_DECODER_H
#define SERVER_DECODER_DECODER_H

#include "proto/fail.h"
#include "server/base/log.h"
#include "server/base/mbox.h"
#include "server/events.h"

#include <stdint.h>

struct decoder;

/* What became of files, as LOOP_DECODED tells. */
struct decoder_counts {
    uint64_t decoded;
    uint64_t bad_image, too_large, memory, unavailable; /* refused: why */
    uint64_t starts; /* of the process: the first one, and each after a death or its time */
    double seconds;  /* from a file's turn to its end */
};
void decoder_count(struct decoder_counts *, const struct decoding *);

struct decoder_conf {
    struct mbox *loop; /* gets the answers */
    struct log *log;   /* NULL: none */
};

/* Starts the thread, and that the process. ERR_OUT_OF_MEMORY, ERR_IO. A system on which the process
 * cannot be confined is logged; each picture is then refused with a sentence that says so. */
int decoder_new(struct decoder **out, const struct decoder_conf *, struct fail *f);
/* What waits or runs is answered as ERR_SHUTTING_DOWN. NULL is fine. */
void decoder_free(struct decoder *);

/* malloc'ed, with file, owner and nothing else set; takes it. */
void decoder_push(struct decoder *, struct decoding *);

#endif
