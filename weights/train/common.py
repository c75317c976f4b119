"""Sizes of the model, and where a training run keeps its files."""
import os
from pathlib import Path

RUN = Path(os.environ.get('RUN', 'run'))

CODES = 2048                       # codebook; the world uses the first len(world.cell_names())
CODE_WIDTH = 64
VISION_VOCAB = CODES + 32          # codes, image start, image end, reserved
IMAGE_START, IMAGE_END = CODES, CODES + 1
TEXT_VOCAB = 1024                  # byte-level BPE with its special tokens
VOCAB = VISION_VOCAB + TEXT_VOCAB
IMAGE_TOKEN = VOCAB - 1            # the last of the special tokens

# Head width 32, half of it rotated: 8 frequencies, dealt in turn to time, rows and columns, so that
# rows and columns both get a fast one, which tells neighbours apart, and a slow one. Theta 10000
# would make all but the first too slow.
PRIOR = dict(
    text_config=dict(
        vocab_size=VOCAB, vision_vocab_size=VISION_VOCAB, hidden_size=192, intermediate_size=512,
        num_hidden_layers=6, num_attention_heads=6, num_key_value_heads=2, rms_norm_eps=1e-5,
        max_position_embeddings=4096, attention_bias=True, eos_token_id=IMAGE_END,
        pad_token_id=VISION_VOCAB,
        rope_parameters=dict(rope_type='default', rope_theta=6., partial_rotary_factor=.5,
                             mrope_section=[1, 1, 2, 1, 2, 1])),
    vision_config=dict(depth=2, hidden_size=128, num_heads=4, intermediate_size=512,
                       image_size=512, patch_size=16),
    vq_config=dict(embed_dim=CODE_WIDTH, num_embeddings=CODES, latent_channels=128),
    image_token_id=IMAGE_TOKEN, image_start_token_id=IMAGE_START, image_end_token_id=IMAGE_END)

DIT = dict(patch_size=2, in_channels=16, out_channels=16, num_layers=6, attention_head_dim=32,
           num_attention_heads=6, text_embed_dim=96, time_embed_dim=128, condition_dim=32,
           prior_vq_quantizer_codebook_size=CODES)

GLYPH = dict(vocab_size=384, d_model=96, d_kv=24, d_ff=192, num_layers=2, num_heads=4,
             feed_forward_proj='gated-gelu', relative_attention_num_buckets=32,
             relative_attention_max_distance=128, dropout_rate=0., tie_word_embeddings=False)

# One group in the norms: groups of two channels erase the colour of flat areas.
VAE = dict(in_channels=3, out_channels=3, down_block_types=('DownEncoderBlock2D',) * 4,
           up_block_types=('UpDecoderBlock2D',) * 4, block_out_channels=(16, 32, 48, 64),
           layers_per_block=1, latent_channels=16, norm_num_groups=1, sample_size=256,
           mid_block_add_attention=False, use_quant_conv=False, use_post_quant_conv=False)

GRIDS = ((8, 8), (8, 12), (12, 8), (16, 16))      # rows, cols of 32 px cells: what is offered
