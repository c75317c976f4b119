/* shapes - what the released model asks of cuDNN, collected by running the product's own code.
 *
 * The VAE (kernels/model/vae.c, vae_encoder.c) runs on a device whose convolutions are the CUDA
 * device's (kernels/cuda/conv.c) and whose other operations do nothing; a cudnn_conv() of our own
 * keeps what arrives. Thread: one. */
#ifndef TEST_CUDA_SHAPES_H
#define TEST_CUDA_SHAPES_H

#include "kernels/cuda/cudnn_graph.h"

enum { SHAPES = 128 };

struct shape {
    struct cudnn_graph graph;
    uint64_t key;
    char what[80];
    /* of one picture */
    int calls;
    double flops;
};

struct shapes {
    struct shape shape[SHAPES];
    int n;
    /* convolutions that do not go to cuDNN */
    int by_hand;
    double flops_by_hand;
};

/* Adds every convolution of a decoding, once per description. */
void shapes_decoder(struct shapes *, int width, int height);
/* The same of the encoding of a condition image. */
void shapes_encoder(struct shapes *, int width, int height);
/* Adds the attention of the DiT: more keys than rows are those of condition images. */
void shapes_attention(struct shapes *, int rows, int keys);
/* Adds the attention of the vision tower over an image of so many cells. */
void shapes_vision(struct shapes *, int cells);

#endif
