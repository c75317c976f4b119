"""gpu_torch - the same stages in PyTorch, same GPU, same run: eager, and the strongest setting.

Random weights of the released model's shapes. DiT: 30 blocks of the joint transformer, both branches
one after the other, as the reference pipeline does. Prior: one token against a static cache;
compiled with CUDA graphs. VAE: the decoder's convolutions and norms in channels_last. Each line is
printed as soon as it is measured; what compiles longest comes last."""
import time

import torch
import torch.nn.functional as F
from torch import nn

torch.set_grad_enabled(False)
dev, T = "cuda", torch.bfloat16
torch.set_default_dtype(T)
torch.set_default_device(dev)


def ms(f, warm=3, n=5):
    for _ in range(warm):
        f()
    torch.cuda.synchronize()
    a, b = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    a.record()
    for _ in range(n):
        f()
    b.record()
    torch.cuda.synchronize()
    return a.elapsed_time(b) / n


def attempt(name, f):
    t = time.time()
    try:
        print(f"{name:52s} {f()}", f"({time.time() - t:.0f} s)", flush=True)
    except Exception as e:  # a setting that does not run here says so and costs nothing else
        print(f"{name:52s} failed: {type(e).__name__}: {str(e)[:120]}", flush=True)
    torch.cuda.empty_cache()


class Block(nn.Module):
    def __init__(self, d=4096, heads=32):
        super().__init__()
        self.heads = heads
        self.mod = nn.Linear(512, 12 * d)
        self.q, self.k, self.v, self.o = (nn.Linear(d, d) for _ in range(4))
        self.up, self.down = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x, temb, cos, sin):
        m = self.mod(temb).chunk(12, -1)
        h = F.layer_norm(x, x.shape[-1:], eps=1e-5) * (1 + m[1]) + m[0]
        qkv = (f(h).unflatten(-1, (self.heads, -1)) for f in (self.q, self.k, self.v))
        q, k, v = (t.transpose(1, 2) for t in qkv)
        q, k = (F.layer_norm(t, t.shape[-1:], eps=1e-5).float() for t in (q, k))
        q, k = ((t * cos + torch.cat((-t[..., 64:], t[..., :64]), -1) * sin).to(T) for t in (q, k))
        a = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + m[2] * self.o(a)
        h = F.layer_norm(x, x.shape[-1:], eps=1e-5) * (1 + m[4]) + m[3]
        return x + m[5] * self.down(F.gelu(self.up(h), approximate="tanh"))


def dit(side, compiled, block):
    n = (side // 16) ** 2
    run = torch.compile(block) if compiled else block
    cases = []
    for text in (32, 1):
        x = torch.randn(1, n + text, 4096)
        angle = torch.randn(n + text, 128, dtype=torch.float32)
        cases.append((x, angle.cos(), angle.sin()))
    temb = torch.randn(1, 512)

    def step():  # the same block 30 times: its weights are larger than the cache
        for x, c, s in cases:
            for _ in range(30):
                x = run(x, temb, c, s)

    t = ms(step, 1, 2)
    flop = sum(30 * (2 * 12 * 4096**2 * m + 4 * 4096 * m * m) for m in (n + 32, n + 1))
    return f"{t:9.1f} ms a step, {flop / t / 1e9:5.0f} TFLOP/s"


class Layer(nn.Module):
    def __init__(self, d=4096, ffn=13696, cap=4480):
        super().__init__()
        self.qkv, self.o = nn.Linear(d, d + 512), nn.Linear(d, d, bias=False)
        self.gu, self.down = nn.Linear(d, 2 * ffn, bias=False), nn.Linear(ffn, d, bias=False)
        self.n = nn.ParameterList([nn.Parameter(torch.ones(d)) for _ in range(4)])
        self.register_buffer("k", torch.randn(1, 2, cap, 128))
        self.register_buffer("v", torch.randn(1, 2, cap, 128))

    def forward(self, x, pos, mask):
        q, k, v = self.qkv(F.rms_norm(x, (4096,), self.n[0])).split((4096, 256, 256), -1)
        q, k, v = (t.view(1, 1, -1, 128).transpose(1, 2) for t in (q, k, v))
        self.k.index_copy_(2, pos, k)
        self.v.index_copy_(2, pos, v)
        a = F.scaled_dot_product_attention(q, self.k, self.v, mask, enable_gqa=True)
        x = x + F.rms_norm(self.o(a.transpose(1, 2).flatten(2)), (4096,), self.n[1])
        g, u = self.gu(F.rms_norm(x, (4096,), self.n[2])).chunk(2, -1)
        return x + F.rms_norm(self.down(F.silu(g) * u), (4096,), self.n[3])


class Prior(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([Layer() for _ in range(40)])
        self.head = nn.Linear(4096, 16512, bias=False)

    def forward(self, x, pos, mask):
        for layer in self.layers:
            x = layer(x, pos, mask)
        return self.head(x)


def prior(model, position, compiled):
    run = torch.compile(model, mode="reduce-overhead") if compiled else model
    x, pos = torch.randn(1, 1, 4096), torch.tensor([position])
    mask = (torch.arange(4480) <= position)[None, None, None]
    return f"{ms(lambda: run(x, pos, mask), 4, 20):9.2f} ms a token"


def vae(side):
    def block(i, o):
        return nn.Sequential(nn.GroupNorm(32, i), nn.SiLU(), nn.Conv2d(i, o, 3, padding=1),
                             nn.GroupNorm(32, o), nn.SiLU(), nn.Conv2d(o, o, 3, padding=1))

    parts, width = [nn.Conv2d(16, 1024, 3, padding=1), block(1024, 1024), block(1024, 1024)], 1024
    for i, o in enumerate((1024, 1024, 512, 128)):
        if i:
            parts += [nn.Upsample(scale_factor=2), nn.Conv2d(width, width, 3, padding=1)]
        for _ in range(4):
            parts.append(block(width, o))
            width = o
    net = nn.Sequential(*parts, nn.GroupNorm(32, 128), nn.SiLU(), nn.Conv2d(128, 3, 3, padding=1))
    net = net.to(memory_format=torch.channels_last)
    z = torch.randn(1, 16, side // 8, side // 8).to(memory_format=torch.channels_last)
    return f"{ms(lambda: net(z), 2, 3):9.1f} ms"


print(torch.__version__, torch.cuda.get_device_name(), "cuDNN", torch.backends.cudnn.version())
a = torch.randn(8192, 8192)
attempt("bf16 product of 8192", lambda: f"{2 * 8192**3 / ms(lambda: a @ a) / 1e9:9.0f} TFLOP/s")
x = torch.empty(1 << 30, dtype=torch.uint8)
y = torch.empty_like(x)
attempt("copy", lambda: f"{2 * x.numel() / ms(lambda: y.copy_(x)) / 1e6:9.0f} GB/s")
torch.backends.cudnn.benchmark = True
attempt("VAE 1024, channels_last", lambda: vae(1024))
attempt("VAE 2048, channels_last", lambda: vae(2048))
b = Block()
attempt("DiT 1024, eager", lambda: dit(1024, False, b))
attempt("DiT 1024, compiled", lambda: dit(1024, True, b))
with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.CUDNN_ATTENTION):
    attempt("DiT 1024, compiled, cuDNN attention", lambda: dit(1024, True, b))
del b
model = Prior()
attempt("prior, position 300, eager", lambda: prior(model, 300, False))
attempt("prior, position 300, compiled, graphs", lambda: prior(model, 300, True))
