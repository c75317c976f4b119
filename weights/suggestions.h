/* suggestions - what a model's folder suggests to its users: sizes that it draws well, prompts to
 * try, and that it is not to be given images, for a folder may have the tensors for them untrained.
 *
 * All files may be absent. What is wrong in them is left out, for a model draws without them: so
 * loading never fails. Thread: one at a time; immutable once loaded. */
#ifndef WEIGHTS_SUGGESTIONS_H
#define WEIGHTS_SUGGESTIONS_H

#include "proto/limits.h"

enum { SUGGESTIONS_SIZES = 64 };

struct suggestions {
    int size[SUGGESTIONS_SIZES][2]; /* width, height: 1 .. LIMIT_SIDE_MAX pixels */
    int sizes;
    char *prompt[LIMIT_EXAMPLES]; /* UTF-8, at most LIMIT_PROMPT_BYTES each; owned */
    int prompts;
    char *no_images; /* UTF-8: why it takes no condition images; NULL: it takes them; owned */
};

/* dir/sizes.json, a list of [width, height]; dir/examples.json, a list of texts; and
 * dir/no_images.json, a list of one text: a sentence for users. */
void suggestions_load(struct suggestions *, const char *dir);
void suggestions_free(struct suggestions *);

#endif
