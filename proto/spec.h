/* spec - a job request. One table of fields drives decoding, defaults, ranges, echo, digest and
 * docs.
 *
 * A new field is a member here, a row in SPEC_TABLE and a range in spec_limits_init(); everything
 * else (hello.fields, PROTOCOL.md's table, error texts, canonical JSON) follows from these.
 * Canonical JSON: every field, in table order, written as JSON.stringify writes it. Quiet fields
 * stand in it only when they differ from their usual value: so the texts and digests of requests
 * from before such a field came stay what they were. */
#ifndef PROTO_SPEC_H
#define PROTO_SPEC_H

#include "proto/fail.h"
#include "proto/limits.h"
#include "proto/spec_images.h"
#include "proto/text.h"
#include "proto/user.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPEC_SEED_PICK (-1) /* the server chooses a seed and sends it in `accepted` */

enum spec_id {
    SPEC_PROMPT,
    SPEC_WIDTH,
    SPEC_HEIGHT,
    SPEC_STEPS,
    SPEC_GUIDANCE,
    SPEC_SEED,
    SPEC_NOISE_SEED,
    SPEC_LANE,
    SPEC_PRIOR_FROM,
    SPEC_IMAGES,
    SPEC_FIELDS
};

enum spec_type {
    SPEC_TEXT,  /* char *, owned; min and max count bytes of UTF-8 */
    SPEC_INT,   /* int */
    SPEC_INT64, /* int64_t */
    SPEC_REAL,  /* double, finite */
    SPEC_NAME,  /* int, on the wire the name of that number */
    /* those that have no default: */
    SPEC_JOB,     /* uint64_t, on the wire a job's id; 0: none */
    SPEC_PICTURES /* int, how many of `image` there are */
};

/* A request. prompt is owned (spec_free); all zero is a valid empty struct. */
struct spec {
    char *prompt;      /* UTF-8, no NUL inside */
    int width, height; /* pixels */
    int steps;         /* denoising steps */
    double guidance;   /* <= 1: no guidance, half the work */
    int64_t seed;      /* SPEC_SEED_PICK, or 0 .. 2^53 - 1 */
    int lane;          /* enum user_lane */
    /* draws the noise, and seed the tokens alone; SPEC_SEED_PICK: seed draws both, or with
     * prior_from the server chooses one */
    int64_t noise_seed;
    uint64_t prior_from; /* the job whose tokens it begins with; 0: none */
    int images;          /* 0: the picture is made from words alone */
    struct spec_image image[LIMIT_IMAGES];
};

struct spec_field {
    const char *name; /* on the wire */
    enum spec_type type;
    size_t offset;    /* in struct spec */
    bool required;    /* no default */
    const char *unit; /* NULL: none */
    const char *doc;  /* one sentence of documentation */
    bool service;     /* how the service treats the job, not what the picture is */
    bool quiet;       /* not written when it has this value (jobs: none): */
    double usual;
    const char *const *names; /* SPEC_NAME: of 0, 1 .. up to the range's max */
};

extern const struct spec_field SPEC_TABLE[SPEC_FIELDS];

/* What one server accepts and fills in. hello and the decoder read the same struct. */
struct spec_range {
    double min, max; /* both allowed; bytes for SPEC_TEXT */
    double step;     /* values are multiples of it; 0: any */
    double def;      /* used when the field is absent; unused when it is required */
};
struct spec_limits {
    struct spec_range range[SPEC_FIELDS];
    double aspect_max;     /* longest / shortest side */
    const char *no_images; /* why there can be no `images`, a sentence; NULL: there can */
};

/* The widest limits (limits.h) with the released model's defaults: 1024x1024, 50 steps, guidance
 * 1.5. A server narrows range[] to its model. Read specs that were accepted earlier, perhaps for
 * another model, with these. */
void spec_limits_init(struct spec_limits *);
/* Narrow to a model: largest side, side and steps taken when the request names none. */
void spec_limits_model(struct spec_limits *, int side_max, int side_default, int steps_default);

/* Decode a JSON object (text_parse) into out: defaults, types, ranges, unknown fields. On success
 * the caller owns out (spec_free). On failure out is empty and f names field and remedy; the field
 * is "width", not "spec.width". ERR_BAD_FIELD, ERR_BAD_PROMPT (empty), ERR_TOO_LARGE (prompt),
 * ERR_OUT_OF_MEMORY. */
int spec_decode(struct spec *out, const json_t *object, const struct spec_limits *, struct fail *f);
/* The same of a request whose fields in `swept` (bit i: field i) get values elsewhere: they may be
 * absent, and the prompt then stays NULL. */
int spec_decode_but(struct spec *out, const json_t *object, unsigned swept,
                    const struct spec_limits *, struct fail *f);
/* One field alone into out, which has none yet. */
int spec_decode_value(struct spec *out, int field, const json_t *, const struct spec_limits *,
                      struct fail *f);
/* A whole request from text, as spec_write() wrote it to the store. */
int spec_parse(struct spec *out, const char *text, size_t len, const struct spec_limits *,
               struct fail *f);
/* Check the ranges alone, for a spec that was filled in by other means (command line). */
int spec_check(const struct spec *, const struct spec_limits *, struct fail *f);
/* Do they begin with the same pictures? */
bool spec_same_images(const struct spec *, const struct spec *);
/* Whether width and height fit each other. */
int spec_check_sides(const struct spec *, const struct spec_limits *, struct fail *f);

/* Once the seed is known: a noise seed that equals it is left out, as it draws the same noise. */
void spec_seeds(struct spec *);
/* Defaults of all fields but the prompt, which stays NULL. */
void spec_defaults(struct spec *out, const struct spec_limits *);
int spec_copy(struct spec *out, const struct spec *from); /* 0 or ERR_OUT_OF_MEMORY */
void spec_free(struct spec *);                            /* leaves all zero */
/* Give one field the value that `from` has; a text stays owned by `from`. */
void spec_borrow(struct spec *, int field, const struct spec *from);

int spec_field_parse(const char *name); /* enum spec_id, -1 for another name */
/* What a request with a field of that name is told. */
int spec_fail_unknown(struct fail *f, const char *name);

/* Write canonical JSON as the value of key (NULL: on its own). */
void spec_write(const struct spec *, struct text *out, const char *key);
/* The value of one field, as an element of an array. */
void spec_write_value(const struct spec *, int field, struct text *out);
/* The same with the prompt cut to at most max bytes, between characters, for rows of lists.
 * Returns true when it was cut. */
bool spec_write_cut(const struct spec *, struct text *out, const char *key, size_t max);
/* Canonical JSON of the fields that the picture depends on; and `steps_done`, when these steps are
 * fewer than those asked for. */
void spec_write_picture(const struct spec *, int steps_done, struct text *out, const char *key);
/* BLAKE2b-256 of the canonical JSON. Two requests with this digest ask for the same thing; take it
 * before the server picks a seed. 0 or ERR_OUT_OF_MEMORY. */
int spec_digest(const struct spec *, uint8_t out[SPEC_DIGEST_BYTES]);
/* The same of what the picture depends on, with the seed that was chosen. */
int spec_picture_digest(const struct spec *s, uint8_t out[SPEC_DIGEST_BYTES]);

/* hello.fields (array of objects), hello.defaults (object), the Markdown table of PROTOCOL.md. */
void spec_write_fields(const struct spec_limits *, struct text *out, const char *key);
void spec_write_defaults(const struct spec_limits *, struct text *out, const char *key);
void spec_write_doc(const struct spec_limits *, struct text *out);

#endif
