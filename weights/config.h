/* config - a model folder's JSON files as one struct; unsupported values are refused by key.
 *
 * Every size comes from the keys named beside the fields; a key that the reference's own classes
 * default is defaulted to the same value. Values whose meaning is not implemented (another
 * activation, rope type, scheduler shift, VAE attention, quant convolutions ...) are ERR_MODEL with
 * the file and the key. Constants that are in no file are the CONFIG_* below.
 * The struct is plain data: copy it, share it, no cleanup. */
#ifndef WEIGHTS_CONFIG_H
#define WEIGHTS_CONFIG_H

#include "proto/fail.h"
#include "proto/limits.h"

#include <stdbool.h>
#include <stdint.h>

#define CONFIG_AR_PIXELS     32 /* pixels a side of one AR token */
#define CONFIG_PATCH_PIXELS  16 /* ... of one DiT patch */
#define CONFIG_LATENT_PIXELS 8  /* ... of one latent */
#define CONFIG_PREVIEW_SIDE  16 /* AR tokens a side of the preview grid of a square picture */
#define CONFIG_DIT_EPS       1e-5f
#define CONFIG_DIT_THETA     10000.0f
#define CONFIG_VAE_EPS       1e-6f
#define CONFIG_VAE_LEVELS    4
#define CONFIG_LATENTS_MAX   256
#define CONFIG_SECTIONS_MAX  64

enum part { PART_PRIOR, PART_GLYPH, PART_DIT, PART_VAE, PARTS };

/* The autoregressive prior: vision_language_encoder/config.json, text_config. */
struct ar_config {
    int width;    /* hidden_size */
    int layers;   /* num_hidden_layers */
    int heads;    /* num_attention_heads */
    int kv_heads; /* num_key_value_heads; heads is a multiple of it */
    int head_dim; /* head_dim, or width / heads; q is [heads*head_dim, width] */
    int ffn;      /* intermediate_size; gate_up is [2*ffn, width], gate rows first */
    int vocab;    /* vocab_size: rows of the embedding */
    int rows;     /* vision_vocab_size: rows of lm_head, the ids that can be sampled */
    float eps;    /* rms_norm_eps */
    float theta;  /* rope_parameters.rope_theta */
    int rotary;   /* R = trunc(head_dim * partial_rotary_factor): rotated dims, even */
    int sections; /* entries of mrope_section; block n is rotated by axis n mod 3 (T, H, W) */
    int section[CONFIG_SECTIONS_MAX]; /* their sum is rotary / 2 */
};

/* The vision tower (condition images): the same file, vision_config. */
struct vit_config {
    int width; /* hidden_size */
    int depth;
    int heads; /* num_heads; head size width / heads */
    int ffn;   /* intermediate_size */
    int side;  /* image_size / patch_size: the position table has side*side rows */
    int patch; /* patch_size */
    float eps; /* layer_norm_eps */
};

/* Its quantiser: the same file, vq_config. */
struct vq_config {
    int codes; /* num_embeddings; image codes are the ids 0 .. codes-1 */
    int dim;   /* embed_dim */
};

/* The glyph encoder (ByT5): text_encoder/config.json. */
struct glyph_config {
    int width;    /* d_model */
    int head_dim; /* d_kv */
    int heads;    /* num_heads; inner width heads*head_dim, need not equal width */
    int ffn;      /* d_ff */
    int layers;   /* num_layers */
    int buckets;  /* relative_attention_num_buckets */
    int distance; /* relative_attention_max_distance */
    int vocab;    /* vocab_size */
    float eps;    /* layer_norm_epsilon */
};

/* The diffusion transformer: transformer/config.json. */
struct dit_config {
    int layers;   /* num_layers */
    int heads;    /* num_attention_heads */
    int head_dim; /* attention_head_dim; a multiple of 4 */
    int width;    /* heads * head_dim; the feed-forward's inner width is 4 * width */
    int channels; /* in_channels = out_channels = VAE latent channels */
    int text;     /* text_embed_dim = glyph width */
    int time;     /* time_embed_dim */
    int cond;     /* condition_dim: one of the four sinusoids of the size conditioning */
    int codes;    /* prior_vq_quantizer_codebook_size = vq codes */
    int patch;    /* patch_size: 2 */
};

/* The schedule: scheduler/scheduler_config.json. */
struct flow_config {
    int train_steps; /* num_train_timesteps */
    double base_shift, max_shift;
    int base_len; /* base_image_seq_len */
};

/* The VAE: vae/config.json. */
struct vae_config {
    int channels[CONFIG_VAE_LEVELS]; /* block_out_channels, encoder order */
    int blocks;                      /* layers_per_block; the decoder has one more a level */
    int latent;                      /* latent_channels */
    int groups;                      /* norm_num_groups; divides every width */
    float mean[CONFIG_LATENTS_MAX];  /* latents_mean */
    float std[CONFIG_LATENTS_MAX];   /* latents_std, > 0 */
};

/* The sampling rule: vision_language_encoder/generation_config.json. */
struct sample_config {
    double temperature; /* 1 when absent */
    double top_p; /* 1 when absent: no nucleus; double, as 1 - top_p is computed before rounding */
    int top_k;    /* 50 when absent (what generate() does); 0: no limit; clip to rows */
};

/* How condition images are resized: processor/preprocessor_config.json. */
struct image_config {
    int64_t min_pixels, max_pixels; /* or size.shortest_edge, size.longest_edge, areas too */
    int patch, merge;
    float mean[3], std[3]; /* image_mean, image_std */
};

/* Special tokens: ids from vision_language_encoder/config.json, texts from
 * processor/tokenizer_config.json. model_open checks that texts and ids agree. */
struct token_config {
    int image_start;             /* image_start_token_id */
    int image_end;               /* image_end_token_id */
    int image;                   /* image_token_id */
    char bos[LIMIT_TOKEN_BYTES]; /* bos_token: start of image */
    char eos[LIMIT_TOKEN_BYTES]; /* eos_token: end of image */
    char image_text[LIMIT_TOKEN_BYTES];
    char grid_bos[LIMIT_TOKEN_BYTES], grid_eos[LIMIT_TOKEN_BYTES];
};

struct model_config {
    struct ar_config ar;
    struct vit_config vit;
    struct vq_config vq;
    struct glyph_config glyph;
    struct dit_config dit;
    struct flow_config flow;
    struct vae_config vae;
    struct sample_config sample;
    struct image_config image;
    struct token_config token;
};

/* Read and check the folder's JSON files. ERR_MODEL names file and key. */
int config_load(struct model_config *, const char *dir, struct fail *);

/* The side of the pictures that the VAE was trained with, in pixels: vae/config.json. Not part of
 * struct model_config, whose bytes name the model (digest.h). */
int config_sample_size(const char *dir, int *side, struct fail *);

/* The model's longest side in pixels: the end of the vision tower's position table. */
int config_side_max(const struct model_config *);

const char *config_part_dir(enum part);  /* "vision_language_encoder" ... */
const char *config_part_stem(enum part); /* "model" or "diffusion_pytorch_model" */

#endif
