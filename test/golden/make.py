#!/usr/bin/env python3
"""Golden traces: tiny random checkpoints of GLM-Image's topology and what the reference pipeline makes of them.

    make.py            (all of CASES, into the folder of this file; `make golden`)
    make.py NAME ...   (some)

For every case: NAME/model is a checkpoint in the released folder layout (bf16), NAME/trace.safetensors a subset
of the pipeline's tensors in float32, under the names that `darkroom trace` writes. The pipeline runs once, end
to end; tokens and noise are drawn here and injected, all the rest is recorded by hooks. Needs what
requirements.txt names (no torchvision: it changes nothing here, but no diffusers past 0.39: its scheduler
differs). The tests need none of this.
"""
import json
import os
import shutil
import sys
import zlib

for key, value in {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "DIFFUSERS_VERBOSITY": "error",
                   "HF_HUB_DISABLE_PROGRESS_BARS": "1"}.items():
    os.environ.setdefault(key, value)
import numpy as np
import torch
import transformers
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, GlmImagePipeline, GlmImageTransformer2DModel
from PIL import Image
from safetensors.torch import save_file
from transformers import (ByT5Tokenizer, GenerationConfig, GlmImageConfig, GlmImageForConditionalGeneration,
                          LogitsProcessor, LogitsProcessorList, T5Config, T5EncoderModel, TemperatureLogitsWarper,
                          TopKLogitsWarper, TopPLogitsWarper)

HERE = os.path.dirname(os.path.abspath(__file__))

# One size a line; a case overrides what it is about.
PLAIN = dict(
    width=32, layers=2, heads=4, kv=2, head_dim=8, ffn=40, ar_eps=1e-5, theta=1e4, partial=0.5, sections=[1, 0, 1],
    codes=40, reserved=6, prefix=False, temperature=0.9, top_p=0.75, top_k=46,
    t5=24, t5_heads=3, t5_dim=6, t5_ffn=32, t5_layers=2, buckets=32, distance=128,
    dit_heads=2, dit_dim=16, dit_layers=2, time=16, cond=8,
    channels=[8, 8, 12, 16], blocks=1, latent=4, groups=4, base_shift=0.25, max_shift=0.75, base_len=256,
    prompt='A poster that says "HELLO"', size=(64, 64), steps=3, guidance=1.5,
    vit=16, vit_layers=1, vit_heads=2, vit_ffn=16, vit_eps=1e-6, vit_side=128, vq=8, images=[])

CASES = {
    "plain": {},
    # nothing is a multiple of anything; two Latin texts, one Chinese, and so a parity pad; strong guidance
    "odd": dict(width=30, heads=5, kv=1, head_dim=6, ffn=37, sections=[1], partial=0.34, codes=53, reserved=3,
                top_k=0, t5=22, t5_heads=1, t5_dim=10, t5_ffn=27, dit_heads=3, dit_dim=12, dit_layers=3, time=14,
                cond=10, channels=[6, 9, 15, 21], latent=5, groups=3, size=(96, 64), guidance=4.5,
                prompt='a "A" and \'it\' beside “b c”, below 「你好」 灯塔\n🎨'),
    # heads of their own size, fully rotated, six sections, another theta; guidance off; a wide picture
    "rope": dict(width=28, layers=3, heads=4, kv=4, head_dim=14, partial=1.0, theta=500.0, sections=[2, 1, 1, 1, 1, 1],
                 ar_eps=1e-3, dit_dim=20, size=(32, 96), guidance=1.0, steps=2, prompt="no quotes, Привет"),
    # VAE widths that repeat and shrink, other buckets, schedule, sampling; a tokenizer that adds a prefix
    "chan": dict(channels=[12, 12, 20, 8], blocks=2, latent=6, prefix=True, buckets=20, distance=50, t5_layers=3,
                 base_shift=0.5, max_shift=1.15, base_len=64, temperature=0.7, top_p=0.9, top_k=20, size=(64, 32),
                 prompt='"" and "x"', guidance=2.0),
    # two condition images; the tower's widths are multiples of nothing, and its table is larger than any grid
    "edit": dict(vit=18, vit_layers=2, vit_heads=3, vit_ffn=29, vit_side=208, vq=7, codes=61, dit_heads=3, dit_dim=12,
                 channels=[6, 9, 9, 15], groups=3, latent=5, images=[(64, 96), (128, 64)], size=(64, 96), steps=2,
                 prompt='make the "A" green 灯塔'),
    # three, whose sides are no multiples of 32 or less than a tower sees; no guidance; a prefix that is not used
    "edits": dict(vit=20, vit_layers=3, vit_heads=5, vit_ffn=24, vit_eps=1e-3, vit_side=80, vq=12, blocks=2, prefix=True,
                  channels=[8, 12, 12, 8], images=[(100, 70), (64, 64), (64, 96)], size=(32, 64), steps=2, guidance=1.0,
                  prompt=" the second, in the style of the first "),
}

SPECIALS = ["<|endoftext|>", "[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>", "<|image|>", "<|video|>"]
PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
           r"|\s*[\r\n]+|\s+(?!\S)|\s+")
MERGES = [("t", "h"), ("Ġ", "p"), ("s", "t"), ("e", "r"), ("Ġp", "o"), ("st", "er"), ("Ġpo", "ster"), ("a", "y"),
          ("s", "ay"), ("Ġ", "a"), ("ç", "ģ")]


def write(path, value):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f, ensure_ascii=False, separators=(",", ":"))


def tokenizer(c, folder):
    """Byte-level BPE: the visual tokens, 256 bytes, a few merges, the special tokens. Returns ids and size."""
    visual = [f"<|dit_token_{i}|>" for i in range(c["codes"] + c["reserved"])]
    words = visual + sorted(transformers.convert_slow_tokenizer.bytes_to_unicode().values())
    words += [a + b for a, b in MERGES]
    ids = {w: i for i, w in enumerate(words + SPECIALS)}
    byte = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    post = byte
    if c["prefix"]:
        seq = [{"SpecialToken": {"id": w, "type_id": 0}} for w in ("[gMASK]", "<sop>")] + [
            {"Sequence": {"id": "A", "type_id": 0}}]
        post = {"type": "Sequence", "processors": [byte, {
            "type": "TemplateProcessing", "single": seq, "pair": seq + [{"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {w: {"id": w, "ids": [ids[w]], "tokens": [w]} for w in ("[gMASK]", "<sop>")}}]}
    added = [dict(id=ids[w], content=w, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
             for w in visual + SPECIALS]
    write(f"{folder}/tokenizer.json", {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False}, byte]},
        "post_processor": post, "decoder": byte,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  "vocab": {w: ids[w] for w in words}, "merges": [list(m) for m in MERGES]}})
    start, end = visual[c["codes"]], visual[c["codes"] + 1]
    write(f"{folder}/tokenizer_config.json", {
        "backend": "tokenizers", "tokenizer_class": "TokenizersBackend", "processor_class": "GlmImageProcessor",
        "model_max_length": 65536, "padding_side": "left", "clean_up_tokenization_spaces": False, "bos_token": start,
        "eos_token": end, "pad_token": end, "image_token": "<|image|>", "grid_bos_token": "<sop>",
        "grid_eos_token": "<eop>", "do_lower_case": False, "extra_special_tokens": {}})
    with open(f"{folder}/chat_template.jinja", "w", encoding="utf-8") as f:
        f.write("{%- for m in messages -%}{%- for p in m.content -%}{%- if p.type == 'image' -%}{{ '" + start
                + "<|image|>" + end + "' }}{%- elif p.type == 'text' -%}{{ p.text }}{%- endif -%}{%- endfor -%}"
                "{%- endfor -%}")
    write(f"{folder}/preprocessor_config.json", {
        "image_processor_type": "GlmImageImageProcessor", "processor_class": "GlmImageProcessor",
        "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True,
        "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "rescale_factor": 1 / 255, "resample": 3,
        "min_pixels": 4096, "max_pixels": 65536, "patch_size": 16, "temporal_patch_size": 1, "merge_size": 1})
    return ids, len(ids)


def fill(model, salt):
    """Every parameter from its own stream: matrices keep the scale of their input, nothing is 0 or 1."""
    tables = {id(m.weight) for m in model.modules() if isinstance(m, torch.nn.Embedding)}
    for name, p in model.named_parameters():
        g = torch.Generator().manual_seed(zlib.crc32(f"{salt}:{name}".encode()))
        x = torch.randn(p.shape, generator=g)
        if p.ndim == 1:
            x = 0.15 * x if name.endswith("bias") else 1 + 0.3 * x.clamp(-2, 2)
        elif id(p) not in tables:
            x = x / p[0].numel() ** 0.5
        p.data.copy_(x)
    return model.to(torch.bfloat16)


def checkpoint(c, name, out):
    ids, size = tokenizer(c, f"{out}/processor")
    first = c["codes"] + c["reserved"]
    ByT5Tokenizer().save_pretrained(f"{out}/tokenizer")
    rope = {"rope_type": "default", "rope_theta": c["theta"], "partial_rotary_factor": c["partial"],
            "mrope_section": c["sections"]}
    ar = GlmImageForConditionalGeneration(GlmImageConfig(
        text_config=dict(hidden_size=c["width"], num_hidden_layers=c["layers"], num_attention_heads=c["heads"],
                         num_key_value_heads=c["kv"], head_dim=c["head_dim"], intermediate_size=c["ffn"],
                         rms_norm_eps=c["ar_eps"], vocab_size=size + 3, vision_vocab_size=first,
                         pad_token_id=ids["<|endoftext|>"], eos_token_id=c["codes"] + 1, attention_bias=True,
                         rope_parameters=rope),
        vision_config=dict(hidden_size=c["vit"], depth=c["vit_layers"], num_heads=c["vit_heads"], patch_size=16,
                           intermediate_size=c["vit_ffn"], image_size=c["vit_side"], layer_norm_eps=c["vit_eps"]),
        vq_config=dict(embed_dim=c["vq"], num_embeddings=c["codes"], latent_channels=c["vit"]),
        image_token_id=ids["<|image|>"], image_start_token_id=c["codes"], image_end_token_id=c["codes"] + 1))
    ar.generation_config = GenerationConfig(
        do_sample=True, temperature=c["temperature"], top_p=c["top_p"], top_k=c["top_k"] or first,
        eos_token_id=c["codes"] + 1, pad_token_id=ids["<|image|>"])
    fill(ar, name + "/ar").save_pretrained(f"{out}/vision_language_encoder")
    fill(T5EncoderModel(T5Config(
        vocab_size=384, d_model=c["t5"], d_kv=c["t5_dim"], num_heads=c["t5_heads"], d_ff=c["t5_ffn"],
        num_layers=c["t5_layers"], num_decoder_layers=1, relative_attention_num_buckets=c["buckets"],
        relative_attention_max_distance=c["distance"], feed_forward_proj="gated-gelu")),
         name + "/t5").save_pretrained(f"{out}/text_encoder")
    fill(GlmImageTransformer2DModel(
        in_channels=c["latent"], out_channels=c["latent"], num_layers=c["dit_layers"],
        num_attention_heads=c["dit_heads"], attention_head_dim=c["dit_dim"], text_embed_dim=c["t5"],
        time_embed_dim=c["time"], condition_dim=c["cond"], prior_vq_quantizer_codebook_size=c["codes"]),
         name + "/dit").save_pretrained(f"{out}/transformer")
    ramp = [round(8 * k / c["latent"] - 4) / 4 for k in range(c["latent"])]
    fill(AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4,
        block_out_channels=c["channels"], layers_per_block=c["blocks"], latent_channels=c["latent"],
        norm_num_groups=c["groups"], sample_size=64, latents_mean=ramp, latents_std=[2 + r / 4 for r in ramp],
        use_quant_conv=False, use_post_quant_conv=False, mid_block_add_attention=False),
         name + "/vae").save_pretrained(f"{out}/vae")
    FlowMatchEulerDiscreteScheduler(
        use_dynamic_shifting=True, time_shift_type="linear", base_shift=c["base_shift"], max_shift=c["max_shift"],
        base_image_seq_len=c["base_len"]).save_pretrained(f"{out}/scheduler")
    write(f"{out}/model_index.json", {
        "_class_name": "GlmImagePipeline", "_diffusers_version": "0.37.0.dev0",
        "processor": ["transformers", "GlmImageProcessor"],
        "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
        "text_encoder": ["transformers", "T5EncoderModel"], "tokenizer": ["transformers", "ByT5Tokenizer"],
        "transformer": ["diffusers", "GlmImageTransformer2DModel"], "vae": ["diffusers", "AutoencoderKL"],
        "vision_language_encoder": ["transformers", "GlmImageForConditionalGeneration"]})


class Script(LogitsProcessor):
    """generate() draws what is written here."""

    def __init__(self, tokens):
        self.left = list(tokens)

    def __call__(self, _ids, scores):
        only = torch.full_like(scores, float("-inf"))
        only[:, self.left.pop(0)] = 0
        return only


class Recorder:
    """Hooks on the pipeline's modules; a tensor is kept under the name that was open when it was made."""

    def __init__(self, pipe, c):
        self.out, self.logits, self.velocities, self.texts = {}, [], [], 0
        self.images, self.encoded, self.remembered, self.z = len(c["images"]), 0, 0, []
        self.branches = ["cond", "uncond"] if c["guidance"] > 1 else ["cond"]
        ar, dit, vae = pipe.vision_language_encoder, pipe.transformer, pipe.vae.decoder
        text, t5 = ar.model.language_model, pipe.text_encoder
        ar.model.register_forward_pre_hook(self.on_prompt, with_kwargs=True)
        for name, module in [("embed", text.embed_tokens), ("norm", text.norm),
                             *((f"layer.{i}", m) for i, m in enumerate(text.layers))]:
            self.watch(module, lambda name=name: f"ar.{name}", lambda y: y[0])
        ar.lm_head.register_forward_hook(lambda _m, _a, y: self.logits.append(y[0, -1].clone()))
        t5.register_forward_pre_hook(self.on_text, with_kwargs=True)
        for i, m in enumerate(t5.encoder.block):
            self.watch(m, lambda i=i: f"{self.glyph()}.block.{i}", lambda y: y[0] if isinstance(y, tuple) else y)
        dit.register_forward_pre_hook(self.on_dit, with_kwargs=True)
        dit.register_forward_hook(self.after_dit)
        rows = lambda y: y.reshape(-1, y.shape[-1])
        for name, module in [("txt_in", dit.glyph_projector), ("img_in", dit.image_projector),
                             ("prior", dit.prior_projector)]:
            self.watch(module, lambda name=name: self.dit(name), rows)
        for name, module in [("temb", dit.time_condition_embed), ("mod.0", dit.transformer_blocks[0].norm1.linear)]:
            self.watch(module, lambda name=name: self.dit(name), lambda y: y[0])
        for i, m in enumerate(dit.transformer_blocks):
            self.watch(m, lambda i=i: self.dit(f"block.{i}.img"), lambda y: y[0][0])
            self.watch(m, lambda i=i: self.dit(f"block.{i}.txt"), lambda y: y[1][0])
        self.watch_images(ar.model, pipe.vae.encoder)
        vae.register_forward_pre_hook(lambda _m, a: self.keep("vae.in", a[0][0]))
        for name, module in [("conv_in", vae.conv_in), ("mid", vae.mid_block), ("up.0", vae.up_blocks[0])]:
            self.watch(module, lambda name=name: f"vae.{name}", lambda y: y[0])
        vae.register_forward_hook(lambda _m, _a, y: self.keep("vae.out", y[0]))

    def watch_images(self, ar, encoder):
        """The tower runs twice, the first time is kept; the encoder runs once an image."""
        vit = ar.visual
        vit.register_forward_pre_hook(lambda _m, a: self.keep("vit.pixels", a[0]))
        for name, module in [("patch", vit.patch_embed), ("embed", vit.embeddings),
                             *((f"block.{i}", m) for i, m in enumerate(vit.blocks))]:
            self.watch(module, lambda name=name: f"vit.{name}", lambda y: y)
        ar.vqmodel.quant_conv.register_forward_hook(lambda _m, _a, y: self.z.append(y[0].flatten(1).T))
        encoder.register_forward_pre_hook(lambda _m, a: self.keep(self.vae("vae.pixels"), a[0][0]))
        for name, module in [("conv_in", encoder.conv_in), ("mid", encoder.mid_block), ("norm_out", encoder.conv_norm_out),
                             *((f"down.{i}", m) for i, m in enumerate(encoder.down_blocks))]:
            self.watch(module, lambda name=name: self.vae(f"vae.{name}"), lambda y: y[0])
        encoder.register_forward_hook(self.after_encoder)

    def vae(self, name):
        return f"cond.{self.encoded}.{name}"

    def after_encoder(self, _m, _a, y):
        self.keep(self.vae("vae.mean"), y[0][:y.shape[1] // 2])
        self.encoded += 1

    def keep(self, name, x):
        if name and name not in self.out:
            self.out[name] = x.detach().clone().contiguous()

    def watch(self, module, name, pick):
        module.register_forward_hook(lambda _m, _a, y: self.keep(name(), pick(y)))

    def on_prompt(self, _m, _a, kw):
        self.keep("ar.prompt_ids", kw["input_ids"][0])
        self.keep("ar.grids", kw["image_grid_thw"])

    def glyph(self):
        return ["glyph", "glyph_uncond"][self.texts - 1]

    def on_text(self, _m, a, kw):
        self.texts += 1
        self.keep(f"{self.glyph()}.ids", a[0] if a else kw["input_ids"])
        self.keep(f"{self.glyph()}.mask", kw["attention_mask"])

    def on_dit(self, _m, _a, kw):
        if self.remembered < self.images:
            self.keep(f"cond.{self.remembered}.prior_ids", kw["prior_token_id"].flatten())
            self.keep(f"cond.{self.remembered}.latents", kw["hidden_states"][0])
            return
        for i in range(kw["kv_caches"].num_layers if self.images else 0):
            self.keep(f"dit.cache.{i}.k", kw["kv_caches"][i].k_caches[0][0])
            self.keep(f"dit.cache.{i}.v", kw["kv_caches"][i].v_caches[0][0])
        self.keep("prior.ids", kw["prior_token_id"].flatten())
        self.keep(f"{['glyph', 'glyph_uncond'][len(self.velocities) % len(self.branches)]}.rows",
                  kw["encoder_hidden_states"][0])

    def after_dit(self, _m, _a, y):
        """Condition images pass before the steps, one after the other."""
        if self.remembered < self.images:
            self.remembered += 1
        else:
            self.velocities.append(y[0][0].float())

    def dit(self, name):
        """Only the first step of each branch, and what a condition image's pass has besides text."""
        if self.remembered < self.images:
            return None if "txt" in name else f"cond.{self.remembered}.dit.{name}"
        k = len(self.velocities)
        return f"dit.{self.branches[k]}.{name}" if k < len(self.branches) else None


def picture(h, w, seed):
    """Smooth fields of colour under noise, so that every tap of a filter matters."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:h, 0:w] / 24.0
    field = [128 + 80 * np.sin(rng.uniform(-1, 1) * y + rng.uniform(-1, 1) * x + k) + rng.normal(0, 30, (h, w))
             for k in range(3)]
    return Image.fromarray(np.stack(field, -1).clip(0, 255).astype(np.uint8))


def contiguous(pipe):
    """The encoder's input in plain memory: for the view that it gets, float32 group norm is ten times less exact."""
    plain = pipe.image_processor.preprocess
    pipe.image_processor.preprocess = lambda *a, **kw: plain(*a, **kw).contiguous()


def image_tensors(rec, ar, images):
    """What is made of the condition images before the DiT, and the prompt with their codes in it."""
    rec.keep("vit.z", torch.cat(rec.z[:len(images)]))
    last = rec.out[f"vit.block.{len(ar.model.visual.blocks) - 1}"]
    codes = ar.model.get_image_tokens(last, rec.out["ar.grids"][:len(images)])
    ids = rec.out["ar.prompt_ids"].clone()
    ids[ids == ar.config.image_token_id] = codes
    rec.keep("vit.codes", codes)
    rec.keep("ar.input_ids", ids)
    for k, image in enumerate(images):
        rec.keep(f"cond.{k}.rgb", torch.from_numpy(np.array(image)))


def sampled(logits, g):
    """Up to four rows of the logits and what generate() would draw from: 0 for what the rule removes."""
    rows = torch.tensor(sorted({0, 1, len(logits) // 2, len(logits) - 1}))
    rule = [TemperatureLogitsWarper(g.temperature), TopKLogitsWarper(g.top_k)]
    rule += [TopPLogitsWarper(g.top_p)] if g.top_p < 1 else []
    return {"ar.sample.rows": rows, "ar.sample.probs": LogitsProcessorList(rule)(None, logits[rows]).softmax(-1)}


@torch.no_grad()
def trace(c, folder, path):
    pipe = GlmImagePipeline.from_pretrained(folder, torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    height, width = c["size"]
    grids = pipe.processor(text=["x"], target_h=height, target_w=width)["image_grid_thw"]
    images = [picture(h, w, k) for k, (h, w) in enumerate(c["images"])]
    count = int(grids.prod(-1).sum()) if not images else height * width // 1024
    g = torch.Generator().manual_seed(2026)
    tokens = torch.randint(0, c["codes"], (count + 1,), generator=g)
    latents = torch.randn((1, c["latent"], height // 8, width // 8), generator=g)
    ar = pipe.vision_language_encoder
    plain = type(ar).generate
    ar.generate = lambda **kw: plain(ar, **kw, logits_processor=LogitsProcessorList([Script(tokens.tolist())]))
    contiguous(pipe)
    rec = Recorder(pipe, c)

    def on_step(_p, i, _t, kw):
        rec.keep(f"flow.latents.{i + 1}", kw["latents"][0])
        return kw

    drawn = pipe(prompt=c["prompt"], image=images or None, height=height, width=width, num_inference_steps=c["steps"],
                   guidance_scale=c["guidance"], latents=latents.clone(), callback_on_step_end=on_step).images[0]
    if images:
        image_tensors(rec, ar, images)
    out = rec.out
    out["ar.tokens"], out["flow.latents.0"] = tokens, latents[0].contiguous()
    out["ar.logits"], out["image"] = torch.stack(rec.logits), torch.from_numpy(np.array(drawn))
    out.update(sampled(out["ar.logits"], ar.generation_config))
    out["ar.decode_pos"] = ar.model._cached_decode_position_ids[0].contiguous()
    out["flow.timesteps"], out["flow.sigmas"] = pipe.scheduler.timesteps, pipe.scheduler.sigmas
    for k, v in enumerate(rec.velocities):
        step, branch = divmod(k, len(rec.branches))
        out[f"flow.{rec.branches[branch]}.{step}"] = v
    assert all(torch.isfinite(v).all() for v in out.values() if v.is_floating_point())
    meta = {"prompt": c["prompt"], "height": height, "width": width, "steps": c["steps"], "guidance": c["guidance"],
            "dtype": "f32", "images": [f"{h}x{w}" for h, w in c["images"]], "torch": torch.__version__, "transformers": transformers.__version__}
    save_file({k: v.contiguous().clone() for k, v in out.items()}, path,
              {"trace": json.dumps(meta, ensure_ascii=False)})
    return len(out)


def main():
    torch.set_num_threads(1)
    for name in sys.argv[1:] or CASES:
        c = {**PLAIN, **CASES[name]}
        folder = os.path.join(HERE, name)
        shutil.rmtree(folder, ignore_errors=True)
        checkpoint(c, name, f"{folder}/model")
        n = trace(c, f"{folder}/model", f"{folder}/trace.safetensors")
        for where, _, files in os.walk(folder):
            for f in files:
                os.chmod(os.path.join(where, f), 0o644)
        size = sum(os.path.getsize(os.path.join(w, f)) for w, _, fs in os.walk(folder) for f in fs)
        print(f"{name}: {n} tensors, {size / 1e3:.0f} KB")


if __name__ == "__main__":
    main()
