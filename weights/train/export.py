"""Writes the trained parts as a folder of the released layout, bf16.

usage: export.py FOLDER
"""
import json
import shutil
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler
from transformers import ByT5Tokenizer, GenerationConfig, GlmImageConfig
from transformers import GlmImageForConditionalGeneration

from common import GRIDS, IMAGE_END, IMAGE_TOKEN, PRIOR, RUN, VISION_VOCAB
from nets import Painter, Prior
from world import CELL

PARTS = dict(processor=('transformers', 'GlmImageProcessor'),
             scheduler=('diffusers', 'FlowMatchEulerDiscreteScheduler'),
             text_encoder=('transformers', 'T5EncoderModel'),
             tokenizer=('transformers', 'ByT5Tokenizer'),
             transformer=('diffusers', 'GlmImageTransformer2DModel'),
             vae=('diffusers', 'AutoencoderKL'),
             vision_language_encoder=('transformers', 'GlmImageForConditionalGeneration'))
TEMPERATURE, TOP_P = .8, .75


def prior_model():
    prior = Prior()
    prior.load_state_dict(torch.load(RUN / 'prior.pt')['average'])
    tokenizer = torch.load(RUN / 'vision.pt')
    model = GlmImageForConditionalGeneration(GlmImageConfig(**PRIOR))
    model.model.language_model.load_state_dict(prior.lm.state_dict())
    model.lm_head.load_state_dict(prior.head.state_dict())
    model.model.visual.load_state_dict(tokenizer['vision'])
    model.model.vqmodel.load_state_dict(tokenizer['quantiser'])
    model.generation_config = GenerationConfig(
        do_sample=True, temperature=TEMPERATURE, top_p=TOP_P, top_k=VISION_VOCAB,
        eos_token_id=IMAGE_END, pad_token_id=IMAGE_TOKEN)
    return model


def scheduler():
    return FlowMatchEulerDiscreteScheduler(
        num_train_timesteps=1000, shift=1., use_dynamic_shifting=True, base_shift=.25,
        max_shift=.75, base_image_seq_len=256, max_image_seq_len=4096, time_shift_type='linear')


def strip_origin(path):
    """Remove the path that a part was loaded from."""
    config = json.loads(path.read_text())
    config.pop('_name_or_path', None)
    path.write_text(json.dumps(config, indent=2) + '\n')


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    painter = Painter()
    painter.load_state_dict(torch.load(RUN / 'painter.pt')['average'])
    models = dict(vision_language_encoder=prior_model(), transformer=painter.dit,
                  text_encoder=painter.t5, vae=AutoencoderKL.from_pretrained(RUN / 'vae'))
    for name, model in models.items():
        model.to(torch.bfloat16).save_pretrained(folder / name)
        strip_origin(folder / name / 'config.json')
        print(name, sum(p.numel() for p in model.parameters()), 'parameters')
    ByT5Tokenizer().save_pretrained(folder / 'tokenizer')
    scheduler().save_pretrained(folder / 'scheduler')
    shutil.copytree(RUN / 'processor', folder / 'processor', dirs_exist_ok=True)
    sizes = [[cols * CELL, rows * CELL] for rows, cols in GRIDS]
    (folder / 'sizes.json').write_text(json.dumps(sizes) + '\n')
    index = dict(_class_name='GlmImagePipeline', _diffusers_version='0.39.0', **PARTS)
    (folder / 'model_index.json').write_text(json.dumps(index, indent=1))
    size = sum(f.stat().st_size for f in folder.rglob('*') if f.is_file())
    print(f'{folder}: {size / 1e6:.1f} MB')


if __name__ == '__main__':
    main(Path(sys.argv[1]))
