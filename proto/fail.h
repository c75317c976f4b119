/* fail - a failure with its code, message and hint: what is wrong and what to do about it.
 *
 * A function that can fail returns 0 or a negative `enum err` and fills a `struct fail` given by
 * its caller (NULL: not wanted). The table behind fail_wire(), fail_status() and fail_hint() is the
 * only place where a code gets its name on the wire, its HTTP status and its general advice.
 * Thread: any; a struct fail belongs to its caller. */
#ifndef PROTO_FAIL_H
#define PROTO_FAIL_H

#include <stdarg.h>
#include <stdint.h>

enum err {
    ERR_OK = 0,
    ERR_BAD_REQUEST = -1, /* malformed message: not JSON, unknown type, wrong envelope */
    ERR_BAD_FIELD = -2,   /* a field is unknown, missing, of the wrong type or out of range */
    ERR_BAD_UTF8 = -3,    /* text that is not UTF-8 */
    ERR_TOO_LARGE = -4,   /* more bytes than a limit of limits.h allows */
    ERR_BAD_PROMPT = -5,  /* a prompt that carries image tokens or is too long for the model */
    ERR_NOT_FOUND = -6,   /* no such job, result, file or route */
    ERR_CONFLICT = -7,    /* same key, other request; a move that the job's state does not allow */
    ERR_QUEUE_FULL = -8,  /* retry later: retry_after_ms is set */
    ERR_TOO_BIG_FOR_DEVICE = -9, /* this size can never fit the memory budget */
    ERR_UNAUTHORIZED = -10,      /* no or wrong credentials */
    ERR_FORBIDDEN = -11,         /* origin, host or rights */
    ERR_RATE_LIMITED = -12,      /* too many connections or messages */
    ERR_TIMEOUT = -13,           /* ran longer than its time limit */
    ERR_CANCELLED = -14,         /* by a client's cancel */
    ERR_OUT_OF_MEMORY = -15,     /* host or device memory */
    ERR_DEVICE = -16,            /* the device failed, and so did the job; the service goes on */
    ERR_MODEL = -17,             /* the model folder is incomplete, wrong or not supported */
    ERR_IO = -18,                /* disk, file, socket */
    ERR_SHUTTING_DOWN = -19,     /* drain or SIGTERM */
    ERR_USAGE = -20,             /* command line or configuration */
    ERR_INTERNAL = -21,          /* a bug; the log says more */
    ERR_BAD_IMAGE = -22,         /* a file that is no picture, or one that is not read here */
    ERR_LAST = -22
};

/* message: what is wrong; hint: what to do about it; field: where, or "". */
struct fail {
    enum err code;
    char field[64];
    char message[400];
    char hint[400];
    int64_t retry_after_ms; /* > 0 when trying again later makes sense, else 0 */
};

/* Fill f (may be NULL) and return code, for `return fail_set(f, ERR_IO, ...)`.
 * Sets message by printf rules and hint to the code's general advice; field is "". */
int fail_set(struct fail *f, enum err code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Like fail_set, and names the field. */
int fail_field(struct fail *f, enum err code, const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Replace the general advice by a better hint. Returns f->code (ERR_INTERNAL if f
 * is NULL), so it can end a return statement. */
int fail_advise(struct fail *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Message and hint as one text, for formats without a place for the hint. */
#define FAIL_SENTENCE (sizeof((struct fail *)0)->message + sizeof((struct fail *)0)->hint + 1)
void fail_sentence(const struct fail *, char out[FAIL_SENTENCE]);

const char *fail_wire(enum err code);  /* "queue_full"; never NULL, "internal" for unknown codes */
int fail_status(enum err code);        /* HTTP status, 200 for ERR_OK */
const char *fail_hint(enum err code);  /* general advice, never NULL */
enum err fail_from_wire(const char *); /* ERR_INTERNAL when the name is unknown */

#endif
