/* bind - turn tensors of the model's files into weights of a device.
 *
 * A list owns every weight that was made, so a stage's structs hold plain pointers and free
 * nothing. The first failure sticks: a stage binds everything and its caller looks at bind.err
 * once. Names are printf-like, several separated by one space: their rows are stacked, and
 * ".weight" (and ".bias") are added to each. Thread: the device's worker. */
#ifndef KERNELS_MODEL_BIND_H
#define KERNELS_MODEL_BIND_H

#include "kernels/memory/offload.h"
#include "kernels/ops.h"
#include "weights/model.h"

struct weight_list {
    struct dev *dev;
    struct weight **w;
    int n, cap;
    struct residency_group *group; /* in the order in which they were bound */
    int groups;
    size_t loose;            /* bytes of weights that belong to none */
    struct offload *offload; /* where groups are stored; NULL: every weight has its own memory */
};

struct bind {
    struct weight_list *list;
    const struct model *model;
    struct fail *fail;
    int err;   /* 0, or the first failure */
    int group; /* 1 + index of the open one; 0: what is bound belongs to none and never moves */
};

/* What is bound from now on is used together: a layer. Returns the group, for graph_want(). */
int bind_group(struct bind *, enum part);
/* The same of what condition images alone need: a part of its own, so that it does not come with
 * the layers of others. Bound after all that are not. */
int bind_images_group(struct bind *, enum part);

enum bind_bias { NO_BIAS, WITH_BIAS };

const struct weight *bind_linear(struct bind *, enum part, enum bind_bias, const char *names, ...)
    __attribute__((format(printf, 4, 5)));
/* Kernel side and bias are the tensor's own; convolutions of this model all have biases. */
const struct weight *bind_conv(struct bind *, enum part, const char *name, ...)
    __attribute__((format(printf, 3, 4)));
/* The same, of one that reads its input enlarged. */
const struct weight *bind_conv_up(struct bind *, enum part, const char *name);
const struct weight *bind_table(struct bind *, enum part, const char *name, ...)
    __attribute__((format(printf, 3, 4)));
/* The first rows of a table alone. */
const struct weight *bind_table_rows(struct bind *, enum part, int64_t rows, const char *name);
/* A whole tensor name (".weight" or ".bias" included). */
const struct weight *bind_vector(struct bind *, enum part, const char *name, ...)
    __attribute__((format(printf, 3, 4)));
/* Values that come from a configuration (USE_VECTOR, cols 1) or were computed (USE_TABLE). */
const struct weight *bind_values(struct bind *, enum weight_use, const char *name, const float *v,
                                 int64_t rows, int64_t cols);

size_t weight_list_bytes(const struct weight_list *);
void weight_list_free(struct weight_list *);

#endif
