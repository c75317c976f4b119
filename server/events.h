/* events - messages from the other threads to the loop, through its one mailbox.
 *
 * Each is malloc'ed by its sender, given away by mbox_push(), and freed by the loop with what it
 * owns. Thread: made anywhere, read by the loop. */
#ifndef SERVER_EVENTS_H
#define SERVER_EVENTS_H

#include "server/base/mbox.h"
#include "server/core/board.h"
#include "server/core/effects.h"
#include "server/decoder/facts.h"
#include "server/worker/png.h"

enum loop_kind {
    LOOP_DEVICE_EVENT, /* worker: struct loop_device_event */
    LOOP_FATAL,        /* worker: struct loop_fatal; the model cannot be opened */
    LOOP_PREVIEW,      /* encoder: struct loop_preview */
    LOOP_ENCODED,      /* encoder: struct loop_encoded */
    LOOP_STORED,       /* store: struct loop_stored */
    LOOP_SHARED,       /* store: struct loop_shared */
    LOOP_DELETED,      /* store: struct loop_deleted */
    LOOP_DISK,         /* store: struct loop_disk */
    LOOP_REMOVAL,      /* store: struct loop_removal */
    LOOP_FOUND,        /* store: struct loop_found */
    LOOP_CONVERTED,    /* converter: struct conversion */
    LOOP_DECODED,      /* decoder: struct decoding */
    LOOP_PRESSED,      /* converter: struct intake */
    LOOP_KEPT,         /* store: struct intake */
    LOOP_DISCARDED     /* store: struct image_discard */
};

/* A picture of the store, or a preview, on its way to the converter and back. */
enum picture_format { PICTURE_PNG, PICTURE_JPEG, PICTURE_WEBP, PICTURE_FORMATS };

struct conversion {
    struct msg m;
    struct blob *png; /* of a preview: one reference, dropped by the converter; NULL: a file */
    int fd;           /* of the PNG, closed by the converter */
    int64_t bytes;
    enum picture_format format;
    int quality;       /* 1 to 100 */
    int px;            /* longest side, never enlarged; 0: the picture's */
    struct blob *file; /* NULL: it failed */
    void *owner;       /* the loop's; NULL: it is gone */
};

/* A file of a client on its way to the decoder and back. */
struct decoding {
    struct msg m;
    struct blob *file;        /* one reference, given back with the answer */
    struct blob *rgb;         /* one reference: [facts.height, facts.width, 3]; NULL: it failed */
    struct image_facts facts; /* where it did not fail */
    int64_t took_us;          /* from the moment when it was its turn */
    uint64_t starts;          /* of the process that decodes, until now */
    struct fail why;          /* code 0: it did not */
    void *owner;              /* the loop's; NULL: it is gone */
};

/* A picture that was decoded, on its way to be a PNG on disk (intake.h). */
struct intake {
    struct msg m;
    uint64_t ticket;
    uint32_t owner;
    bool private;
    int64_t created_ms;
    char changed[256];       /* JSON: an array of words */
    struct spec_image image; /* the digest is known when it is pressed */
    struct blob *rgb;        /* one reference, until it is pressed */
    struct blob *png;        /* one reference; NULL: not yet, or why */
    struct fail why;         /* code 0: it is kept */
};

/* An upload that its user wants removed, on its way to the store and back. */
struct image_discard {
    struct msg m;
    uint64_t ticket;
    uint32_t owner;
    uint8_t digest[SPEC_DIGEST_BYTES];
    bool forgotten;  /* one in memory went */
    struct fail why; /* code 0: it is gone */
};

struct loop_device_event {
    struct msg m;
    struct device_event event; /* with a reference to its checkpoint or tokens, if it has some */
};

struct loop_fatal {
    struct msg m;
    struct fail why;
};

struct loop_preview {
    struct msg m;
    uint64_t job;
    enum event_phase phase;
    int64_t computed_us; /* when the quantum that it shows ended */
    int n;
    struct board_image image[BOARD_CLASSES];
    struct blob *blob[BOARD_CLASSES]; /* one reference each, what image points to */
};

struct loop_encoded {
    struct msg m;
    uint64_t job;
    struct blob *file; /* one reference, NULL: it failed */
    char digest[PNG_DIGEST_TEXT];
    struct fail why;
};

struct loop_stored {
    struct msg m;
    uint64_t job;
    int64_t commit_us; /* of the transaction; 0: an earlier message has it */
    struct fail why;   /* code 0: it is on disk */
};

/* Whom a job is shared with was stored, or was not. */
struct loop_shared {
    struct msg m;
    struct hub_share share;
    struct fail why; /* code 0: it is on disk */
};

/* A job is gone, or stays. */
struct loop_deleted {
    struct msg m;
    struct hub_deletion deletion;
    struct fail why; /* code 0: it is gone */
};

/* The disk was probed, as it had refused something. */
struct loop_disk {
    struct msg m;
    struct fail why; /* code 0: it takes rows and files again */
};

/* A user's pictures go, or went. */
struct loop_removal {
    struct msg m;
    struct removal removal;
};

/* What a search found. */
struct loop_found {
    struct msg m;
    uint64_t ticket;
    struct blob *answer; /* one reference; NULL: why */
    struct fail why;
};

/* A message, with what it refers to. */
void events_free(struct msg *);

#endif
