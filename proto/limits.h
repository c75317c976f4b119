/* limits - every bound of the system with its reason, in one place. */
#ifndef PROTO_LIMITS_H
#define PROTO_LIMITS_H

/* pictures */
#define LIMIT_SIDE_MIN       64    /* pixels; two AR tokens a side; smaller shows nothing */
#define LIMIT_SIDE_MAX       2048  /* pixels; the released model's largest trained side */
#define LIMIT_SIDE_STEP      32    /* pixels; one AR token */
#define LIMIT_ASPECT_MAX     4     /* longest / shortest side; what the model was trained on */
#define LIMIT_STEPS_MAX      200   /* denoising steps; more changes nothing visible */
#define LIMIT_STEPS_DEFAULT  50    /* the reference pipeline's default */
#define LIMIT_GUIDANCE_MAX   20.0  /* above, every picture saturates */
#define LIMIT_PROMPT_BYTES   16384 /* UTF-8; about 4,000 tokens, twice the longest useful prompt */
#define LIMIT_GLYPH_TEXTS    64    /* quoted texts in one prompt */
#define LIMIT_GLYPH_TOKENS   2048  /* ByT5 tokens a text with EOS; the reference truncates here */
#define LIMIT_IMAGES         4     /* condition images of one picture; the released model's most */
#define LIMIT_FORM_BYTES     (64 << 20)  /* of one HTTP request with pictures in it */
#define LIMIT_BODIES_BYTES   (256 << 20) /* of all such requests that are being received */
#define LIMIT_UPLOADS        8   /* files of one sender on their way; several pages and scripts */
#define LIMIT_UPLOADS_ALL    256 /* the same of all senders */
#define LIMIT_CHUNK_BYTES    (1 << 20)   /* of a file in one binary message */
#define LIMIT_UPLOAD_MEMORY  (256 << 20) /* bytes of all files on their way */
#define LIMIT_UPLOAD_IDLE_S  120         /* until one is given up that nothing comes for */
#define LIMIT_UPLOAD_ALONE_S 10          /* .. whose connection is closed, and others want room */
#define LIMIT_UPLOAD_S       600         /* .. that is not whole, and .. */
#define LIMIT_UPLOAD_SLOWEST (8 << 10)   /* .. a second longer for so many bytes */
#define LIMIT_PRIVATE_IMAGES (256 << 20) /* bytes of all private uploads, which are in memory */
#define LIMIT_BATCH          16          /* pictures that share one quantum */
#define LIMIT_DEVICES        8           /* workers of one service; GPUs of one machine */
#define LIMIT_SEED_MAX       9007199254740991LL /* 2^53 - 1: exact in every client's JSON number */

/* condition images: files of photographs as cameras make them */
#define LIMIT_IMAGE_BYTES    (32 << 20) /* of one file */
#define LIMIT_IMAGE_PIXELS   (64 << 20) /* of one file; a long side of 16384 at LIMIT_ASPECT_MAX */
#define LIMIT_IMAGE_SIDE_MIN 16         /* pixels; below, the reference refuses, too */

#define LIMIT_PICTURES 10  /* `n` of one request: as other services have it */
#define LIMIT_CELLS    100 /* of one sweep: a table that can still be looked at */

/* models */
#define LIMIT_TENSOR_DIMS  4          /* convolution weights */
#define LIMIT_TENSORS      65536      /* in one part; the released model has 1,853 in all */
#define LIMIT_SHARDS       256        /* safetensors files in one part */
#define LIMIT_HEADER_BYTES (64 << 20) /* JSON header of one safetensors file */
#define LIMIT_CONFIG_BYTES (64 << 20) /* one JSON file of a model; tokenizer.json has 24 MB */
#define LIMIT_LAYERS       256        /* of any stack */
#define LIMIT_TOKEN_BYTES  1024       /* one added token's text */

/* service */
#define LIMIT_MESSAGE_BYTES       65536    /* one WebSocket text message from a client */
#define LIMIT_WAIT_MS             86400000 /* a day: longest time that a submit would wait */
#define LIMIT_KEY_BYTES           64       /* idempotency key */
#define LIMIT_WEBHOOK_BYTES       512      /* address that a job's end is posted to */
#define LIMIT_REF_BYTES           64       /* a client's name for one request */
#define LIMIT_SEQ_MAX             9007199254740991ULL /* 2^53 - 1: exact in a JSON number */
#define LIMIT_JSON_DEPTH          16 /* nesting of a client's JSON; the deepest message has 2 */
#define LIMIT_FRAME_BYTES         (1 << 20) /* image in one binary message; 512x512 JPEG: 60 KB */
#define LIMIT_EXAMPLES            16        /* example prompts in hello */
#define LIMIT_PREVIEW_EVERY_MS    60000 /* longest pause between previews that can be asked for */
#define LIMIT_QUEUE_MAX           4096  /* largest --queue */
#define LIMIT_QUEUE_DEFAULT       64    /* jobs that wait */
#define LIMIT_JOBS_KEPT           1024  /* finished jobs whose board stays in memory */
#define LIMIT_SESSIONS_DEFAULT    1024  /* open connections */
#define LIMIT_WATCHES             LIMIT_QUEUE_MAX /* jobs that one connection follows: all */
#define LIMIT_JOB_SECONDS_DEFAULT 300             /* running time of one job */
#define LIMIT_JOB_SECONDS_MAX     86400           /* largest --job-seconds */
#define LIMIT_PREVIEW_PX_MIN      16  /* longest side of a preview; one token grid has 4 to 64 */
#define LIMIT_PREVIEW_PX_MAX      512 /* longest side of a preview */
#define LIMIT_PREVIEW_PX_DEFAULT  256
#define LIMIT_THUMBNAIL_PX        256 /* longest side of a small picture in a gallery */
#define LIMIT_PREVIEW_SLOTS       4   /* previews on their way to the encoder */
/* unsent control bytes of one connection before it is closed */
#define LIMIT_OUTBOX_BYTES        (1 << 20)
#define LIMIT_LIST                200     /* rows of one `list` answer */
#define LIMIT_LOG_TEXT            512     /* bytes of a line of `log`, with its NUL */
#define LIMIT_LIST_DEFAULT        50      /* rows when a client does not say */
#define LIMIT_SEARCH_BYTES        256     /* words that prompts are searched for */
#define LIMIT_SIZES               32      /* sizes that are counted beside a list of results */
#define LIMIT_LIST_PROMPT_BYTES   256     /* of a prompt in a row; `accepted` has the whole */
#define LIMIT_NOTICE_BYTES        1000    /* of a notice's text; a few sentences */
#define LIMIT_SHARE_SECONDS       2592000 /* 30 days: a shared job's address holds no longer */
#define LIMIT_SHARE_DEFAULT       604800  /* a week: the same, when its owner does not say */
#define LIMIT_NOTICE_JOBS         20      /* named in a notice; it counts the rest */
#define LIMIT_REMOVALS            64      /* pictures of one user that go at a time */
#define LIMIT_USER_BYTES          64      /* of a user's name; a mail address fits */
#define LIMIT_USERS               1024    /* of one service */

#endif
