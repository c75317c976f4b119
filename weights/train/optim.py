"""Muon for the matrices inside the blocks, AdamW for everything else, a running average of both."""
import torch

from common import RUN
from nets import HALF


@torch.no_grad()
def orthogonal(g):
    """Newton-Schulz: the nearest (semi-)orthogonal matrices of a stack [n, rows, cols]."""
    x = (g / (g.norm(dim=(-2, -1), keepdim=True) + 1e-7))
    x = x.bfloat16() if HALF else x
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    for _ in range(5):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return (x.mT if tall else x).float()


class Optimizer:
    def __init__(self, model, is_matrix, lr_matrix=.02, lr_rest=2e-3, momentum=.95, decay=.01):
        self.model, self.momentum, self.decay = model, momentum, decay
        self.lr_matrix, self.lr_rest = lr_matrix, lr_rest
        named = list(model.named_parameters())
        matrices = [p for n, p in named if is_matrix(n, p)]
        chosen = {id(p) for p in matrices}
        self.rest = torch.optim.AdamW([p for _, p in named if id(p) not in chosen], lr=lr_rest,
                                      betas=(.9, .98), weight_decay=0.)
        self.stacks = {}                       # equal shapes are orthogonalised together
        for p in matrices:
            key = (p.shape[0], p[0].numel())
            self.stacks.setdefault(key, []).append((p, torch.zeros(key)))
        self.steps = 0
        self.average = {k: v.clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def step(self, factor, clip=1.):
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), clip)
        for group in self.rest.param_groups:
            group['lr'] = self.lr_rest * factor
        self.rest.step()
        lr = self.lr_matrix * factor
        for (rows, cols), stack in self.stacks.items():
            push = []
            for p, buffer in stack:
                g = p.grad.reshape(rows, cols)
                buffer.mul_(self.momentum).add_(g)
                push.append(g + self.momentum * buffer)
            scale = lr * max(1, rows / cols) ** .5
            for (p, _), u in zip(stack, orthogonal(torch.stack(push))):
                p.mul_(1 - lr * self.decay).add_(u.view_as(p), alpha=-scale)
        self.model.zero_grad(set_to_none=True)
        self.follow()

    def follow(self):
        self.steps += 1
        weight = max(.005, 20 / (self.steps + 20))
        for k, v in self.model.state_dict().items():
            if v.is_floating_point():
                self.average[k].lerp_(v, weight)


def save(name, model, optimizer):
    """RUN/<name>.pt: the weights as they are now, and their average."""
    path = RUN / f'{name}.pt'
    torch.save(dict(last=model.state_dict(), average=optimizer.average), f'{path}.new')
    path.with_suffix('.pt.new').rename(path)


def seconds_now(name, default):
    """How long to train: RUN/<name>.seconds, which may be written meanwhile."""
    path = RUN / f'{name}.seconds'
    return float(path.read_text()) if path.exists() else default
