/* helper - one process without privileges that decodes files, seen from its parent: started when it
 * is needed, used again, killed when it takes too long, started anew when it has died.
 *
 *   parent                                     helper (helper_main.h)
 *   file -> shared memory, request --socket--> image_look, image_decode
 *   checks every number    <------ answer ---- pixels -> shared memory
 *
 * The memory is made once, its size sealed, so that the helper cannot cut it off under the parent.
 * The helper inherits a socket, that memory and /dev/null, no other descriptor, no environment, no
 * signal mask; what it may do then is in sandbox.h. Where it cannot be confined nothing is decoded.
 *
 * It gets a bounded time of the processor and of the clock for each file, and is replaced when its
 * life's processor time runs out. One that died at work is started anew at once, one that dies
 * again and again after a pause of up to a second; one that cannot even start is tried again after
 * a second up to a minute, and files are refused until then. A file that takes the process over may
 * read and change those that follow in the same process, and nothing else.
 * Thread: the one that opened it (its end kills the helper). */
#ifndef SERVER_DECODER_HELPER_H
#define SERVER_DECODER_HELPER_H

#include "proto/fail.h"
#include "server/base/log.h"
#include "server/decoder/facts.h"

#include <stdint.h>
#include <sys/types.h>

struct helper_conf {
    struct log *log;  /* NULL: none */
    int stop_fd;      /* readable: give up; -1: none */
    int64_t cpu_ms;   /* of a file; 0: 10 s of the processor */
    int64_t clock_ms; /* of a file; 0: 60 s, for a machine that is busy */
    int64_t life_ms;  /* of the processor, then it is replaced; 0: 60 s */
    const char *word; /* NULL: HELPER_WORD; tests have others */
};

struct helper {
    struct helper_conf conf;
    int memory_fd;
    uint8_t *memory;
    pid_t pid;  /* 0: none runs */
    int socket; /* -1: none */
    int deaths; /* in a row, at work */
    uint64_t starts;
    int failed_starts;
    int64_t start_us; /* not before */
};

/* ERR_OUT_OF_MEMORY. Starts no process yet. */
int helper_open(struct helper *, const struct helper_conf *, struct fail *f);
void helper_close(struct helper *);

/* Starts the process, if it does not run. ERR_INTERNAL with retry_after_ms: it cannot be started or
 * confined, and why; ERR_SHUTTING_DOWN. */
int helper_start(struct helper *, struct fail *f);

/* *rgb [facts->height, facts->width, 3] is valid until helper_clear(). Errors: those of
 * image_look() and image_decode(); ERR_BAD_IMAGE: it took too long or brought the process down;
 * ERR_OUT_OF_MEMORY: the process was killed by the system; those of helper_start(). */
int helper_decode(struct helper *, const uint8_t *file, size_t len, struct image_facts *facts,
                  const uint8_t **rgb, struct fail *f);
/* Gives back the memory of the last file and its pixels. */
void helper_clear(struct helper *);

#endif
