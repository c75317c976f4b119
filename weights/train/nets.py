"""Lean batched forwards over the reference modules' own weights.

They give what the reference gives (checked by `python nets.py`, with padding masked), but train
in batches of unequal prompts and without the generation machinery.
"""
import torch
import torch.nn as nn
import torch.nn.functional as F
from diffusers import GlmImageTransformer2DModel
from transformers import GlmImageConfig, T5Config, T5EncoderModel
from transformers.models.glm_image.modeling_glm_image import GlmImageTextModel

from common import DIT, GLYPH, PRIOR

# Half precision for the products where the processor has it; elsewhere it is emulated, 50 times
# slower.
HALF = torch.ops.mkldnn._is_mkldnn_bf16_supported()


def rms(x, weight, eps=1e-5):
    x = x.float()
    return weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps))


def attend(q, k, v, bias, seen=None):
    """Plain attention: on this CPU, at these sizes, the fused backward costs twice as much.
    The list `seen` gets the weights [B, heads, queries, keys]."""
    score = q @ k.mT * q.shape[-1] ** -.5 + bias
    weight = score.softmax(-1)
    if seen is not None:
        seen.append(weight)
    return weight.to(v.dtype) @ v


class Prior(nn.Module):
    def __init__(self):
        super().__init__()
        c = self.config = GlmImageConfig(**PRIOR).text_config
        self.lm = GlmImageTextModel._from_config(c)
        self.head = nn.Linear(c.hidden_size, c.vision_vocab_size, bias=False)
        rope = c.rope_parameters
        self.head_dim = c.hidden_size // c.num_attention_heads
        self.rotated = int(self.head_dim * rope['partial_rotary_factor'])
        power = torch.arange(0, self.rotated, 2).float() / self.rotated
        section = torch.tensor(rope['mrope_section'])
        axis = torch.repeat_interleave(torch.arange(len(section)) % 3, section)
        self.register_buffer('freq', rope['rope_theta'] ** -power, persistent=False)
        self.register_buffer('axis', axis, persistent=False)

    def rotate(self, x, cos, sin):
        half = self.rotated // 2
        a, b, rest = x[..., :half], x[..., half:self.rotated], x[..., self.rotated:]
        return torch.cat([a * cos - b * sin, b * cos + a * sin, rest], -1)

    def forward(self, ids, pos, seen=None):
        """ids [B,T], pos [B,3,T] -> last hidden state [B,T,width]; causal, so pad on the right;
        the list `seen` gets every layer's attention"""
        c, (b, t) = self.config, ids.shape
        angle = pos[:, self.axis].transpose(1, 2) * self.freq
        cos, sin = angle.cos()[:, None], angle.sin()[:, None]
        split = lambda y, n: y.view(b, t, n, self.head_dim).transpose(1, 2)
        bias = torch.full((t, t), -1e9, dtype=torch.bfloat16 if HALF else torch.float32).triu(1)
        groups = c.num_attention_heads // c.num_key_value_heads
        x = self.lm.embed_tokens.weight[ids]
        for layer in self.lm.layers:
            att, mlp = layer.self_attn, layer.mlp
            h = rms(x, layer.input_layernorm.weight)
            q = self.rotate(split(att.q_proj(h), c.num_attention_heads), cos, sin)
            k = self.rotate(split(att.k_proj(h), c.num_key_value_heads), cos, sin)
            v = split(att.v_proj(h), c.num_key_value_heads)
            o = attend(q, k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1), bias,
                       seen)
            o = att.o_proj(o.transpose(1, 2).reshape(b, t, -1))
            x = x + rms(o, layer.post_self_attn_layernorm.weight)
            gate, up = mlp.gate_up_proj(rms(x, layer.post_attention_layernorm.weight)).chunk(2, -1)
            x = x + rms(mlp.down_proj(up * F.silu(gate)), layer.post_mlp_layernorm.weight)
        return rms(x, self.lm.norm.weight)


def norm(x):
    return F.layer_norm(x, x.shape[-1:], eps=1e-5)


class Painter(nn.Module):
    """The diffusion transformer and its glyph encoder."""

    def __init__(self):
        super().__init__()
        self.dit = GlmImageTransformer2DModel(**DIT)
        self.t5 = T5EncoderModel(T5Config(**GLYPH))

    def remember(self, x, prior, size):
        """Keys and values [(k, v)] of every block for a source picture: its latents x and codes, at
        time 0, without text. The pass ends with the keys of the last block."""
        b = len(x)
        nothing, mask = x.new_zeros(b, 0, DIT['text_embed_dim']), torch.zeros(b, 0)
        cache = []
        self.run(x, nothing, mask, prior, torch.zeros(b, dtype=torch.bool), torch.zeros(b), size,
                 lambda k, v: cache.append((k, v)))
        return cache

    def forward(self, x, glyphs, mask, prior, drop, t, size, source=None, seen=None):
        """Velocity [B,16,h,w]. x [B,16,h,w] latents; glyphs, mask [B,L], padded on the right;
        prior [B,h*w/4] codes; drop [B] without prior; t [B] timestep - 1; size [B,2] pixels;
        source what `remember` gave; seen [B] who may look at it (the others of a batch may not)"""
        text = self.t5(glyphs, attention_mask=mask).last_hidden_state
        return self.run(x, text, mask, prior, drop, t, size, None, source, seen)

    def run(self, x, text, mask, prior, drop, t, size, write, source=None, seen=None):
        d, (b, ch, h, w), n_text = self.dit, x.shape, text.shape[1]
        heads, dim = DIT['num_attention_heads'], DIT['attention_head_dim']
        text = d.glyph_projector(text)
        cos, sin = (v[:, :dim // 2] for v in d.rope(x))
        keep = (~drop).float()[:, None, None]
        cond = d.time_condition_embed(t, size, torch.zeros_like(size), x.dtype)
        image = d.image_projector(x) + d.prior_projector(d.prior_token_embedding(prior) * keep)
        bias = torch.zeros(b, 1, 1, n_text + image.shape[1])
        bias[:, 0, 0, :n_text] = (1 - mask.float()) * -1e9
        if source:
            unseen = (1 - seen.float())[:, None, None, None] * -1e9
            bias = torch.cat([unseen.expand(b, 1, 1, source[0][0].shape[2]), bias], -1)

        def rotate(q):
            a, u, v = q[:, :, :n_text], q[:, :, n_text:, :dim // 2], q[:, :, n_text:, dim // 2:]
            return torch.cat([a, torch.cat([u * cos - v * sin, v * cos + u * sin], -1)], 2)

        for i, block in enumerate(d.transformer_blocks):
            att, m = block.attn1, block.norm1.linear(cond)[:, None].chunk(12, -1)
            z = torch.cat([norm(text) * (1 + m[3]) + m[1], norm(image) * (1 + m[2]) + m[0]], 1)
            q = rotate(norm(att.to_q(z).unflatten(2, (heads, dim))).transpose(1, 2))
            k = rotate(norm(att.to_k(z).unflatten(2, (heads, dim))).transpose(1, 2))
            v = att.to_v(z).unflatten(2, (heads, dim)).transpose(1, 2)
            if write:
                write(k, v)
                if i == len(d.transformer_blocks) - 1:
                    return None
            if source:
                k, v = (torch.cat(pair, 2) for pair in zip(source[i], (k, v)))
            o = att.to_out[0](attend(q, k, v, bias).transpose(1, 2).flatten(2))
            text, image = text + m[5] * o[:, :n_text], image + m[4] * o[:, n_text:]
            z = torch.cat([norm(text) * (1 + m[9]) + m[7], norm(image) * (1 + m[8]) + m[6]], 1)
            f = block.ff.net[2](F.gelu(block.ff.net[0].proj(z), approximate='tanh'))
            text, image = text + m[11] * f[:, :n_text], image + m[10] * f[:, n_text:]
        scale, shift = d.norm_out.linear(cond)[:, None].chunk(2, -1)
        o = d.proj_out(norm(image) * (1 + scale) + shift)
        o = o.view(b, h // 2, w // 2, ch, 2, 2).permute(0, 3, 1, 4, 2, 5)
        return o.reshape(b, ch, h, w)


def glyph_ids(text):
    """ByT5: bytes + 3, then the end mark"""
    return [byte + 3 for byte in text.encode()] + [1]


@torch.no_grad()
def check():
    """The lean forwards against the reference modules, with random weights."""
    torch.manual_seed(0)
    prior, painter = Prior().eval(), Painter().eval()
    for p in list(prior.parameters()) + list(painter.parameters()):
        p.add_(torch.randn_like(p) * .05)
    ids, pos = torch.randint(0, 2000, (2, 60)), torch.randint(0, 30, (2, 3, 60)).float()
    ours = prior(ids, pos)
    theirs = prior.lm(input_ids=ids, position_ids=pos.transpose(0, 1)).last_hidden_state
    print('prior', ((ours - theirs).abs().max() / theirs.abs().max()).item())
    x, codes = torch.randn(2, 16, 16, 24), torch.randint(0, 2000, (2, 96))
    texts = [glyph_ids('AB'), glyph_ids('')]
    glyphs = torch.tensor([texts[0], texts[1] + [0, 0]])
    t, size, drop = torch.tensor([700., 20.]), torch.full((2, 2), 128.), torch.tensor([False, True])
    ours = painter(x, glyphs, (glyphs > 0).long(), codes, drop, t, size)
    for i, ids in enumerate(texts):
        text = painter.t5(torch.tensor([ids])).last_hidden_state
        theirs = painter.dit(
            hidden_states=x[i:i + 1], encoder_hidden_states=text, prior_token_id=codes[i:i + 1],
            prior_token_drop=torch.full((1, 96), bool(drop[i])), timestep=t[i:i + 1],
            target_size=size[i:i + 1], crop_coords=torch.zeros(1, 2)).sample
        print('painter', ((ours[i] - theirs[0]).abs().max() / theirs.abs().max()).item())
    check_source(painter)


def check_source(painter):
    """The same with a source picture, whose keys and values the reference keeps"""
    from diffusers.models.transformers.transformer_glm_image import GlmImageKVCache
    dit = painter.dit
    x, y = torch.randn(1, 16, 16, 16), torch.randn(1, 16, 16, 24)
    codes, other = torch.randint(0, 2000, (1, 64)), torch.randint(0, 2000, (1, 96))
    size, zero = torch.tensor([[128., 128.]]), torch.zeros(1, 2)
    no = torch.zeros(1, dtype=torch.bool)
    glyphs = torch.tensor([glyph_ids('AB')])
    ours = painter(y, glyphs, glyphs > 0, other, no, torch.tensor([300.]), size,
                   painter.remember(x, codes, size), torch.tensor([True]))
    cache = GlmImageKVCache(num_layers=len(dit.transformer_blocks))
    call = lambda x, text, codes, t: dit(
        hidden_states=x, encoder_hidden_states=text, prior_token_id=codes,
        prior_token_drop=torch.zeros_like(codes, dtype=torch.bool), timestep=t, target_size=size,
        crop_coords=zero, kv_caches=cache).sample
    cache.set_mode('write')
    call(x, torch.zeros(1, 0, DIT['text_embed_dim']), codes, torch.zeros(1))
    cache.set_mode('read')
    theirs = call(y, painter.t5(glyphs).last_hidden_state, other, torch.tensor([300.]))
    print('painter with a source', ((ours - theirs).abs().max() / theirs.abs().max()).item())


if __name__ == '__main__':
    check()
