#!/usr/bin/python3
"""order - what the order of service does to forecasts and times, in a model of a queue: no service, no device.

    bench/order.py [--jobs 1500] [--seed 1]

Jobs come at random to a device with a cap of residents; what waits is first come, first served. `equal`: residents get
equal shares of the device, as the batcher has it today. `fair end`: the resident that would end first if shares were equal
is computed alone (fair sojourn protocol: Friedman, Henderson 2003), so none ends later than with equal shares, and one
that comes later delays only those that are longer than it. A forecast plays the same rule without the jobs that come
later. Errors are |real / forecast - 1|; `width`: of the narrowest range that nine of ten ratios fall in; `time`: mean, in
jobs of mean size.
"""
import argparse
import random


class Device:
    def __init__(self, cap, fair):
        self.cap, self.fair = cap, fair
        self.now = self.virtual = 0.0  # virtual: what each resident would have got with equal shares
        self.residents, self.queue, self.ends = [], [], {}

    def come(self, job, size):
        self.queue.append((job, size))
        self.fill()

    def fill(self):
        while self.queue and len(self.residents) < self.cap:
            job, size = self.queue.pop(0)
            self.residents.append({"job": job, "left": size, "due": self.virtual + size})

    def step(self, until):
        """To the next end of a job, real or virtual."""
        if not self.residents:
            self.now = until
            return
        ahead = [r["due"] - self.virtual for r in self.residents if r["due"] > self.virtual + 1e-12]
        sharing = max(1, len(ahead))
        served = [min(self.residents, key=lambda r: r["due"])] if self.fair else self.residents
        dt = min(r["left"] for r in served) * len(served)
        if self.fair and ahead:
            dt = min(dt, min(ahead) * sharing)
        dt = min(dt, until - self.now)
        for r in served:
            r["left"] -= dt / len(served)
        self.virtual += dt / sharing
        self.now += dt
        for r in [r for r in self.residents if r["left"] < 1e-9]:
            self.residents.remove(r)
            self.ends[r["job"]] = self.now
        self.fill()

    def end_of(self, job):
        played = Device(self.cap, self.fair)
        played.now, played.virtual = self.now, self.virtual
        played.residents, played.queue = [dict(r) for r in self.residents], list(self.queue)
        while job not in played.ends:
            played.step(float("inf"))
        return played.ends[job]


def play(a, cap, mixed, load, fair):
    rng = random.Random(a.seed)

    def size():
        return rng.choice((1, 1.5, 2, 3)) * rng.choice((1, 1.5, 2, 3)) * rng.uniform(4, 30) if mixed else 60.0

    sizes = [size() for _ in range(a.jobs)]
    mean = sum(sizes) / a.jobs
    d, came, forecast = Device(cap, fair), [], []
    for i, s in enumerate(sizes):
        at = d.now + rng.expovariate(load / mean)
        while d.now < at - 1e-9:
            d.step(at)
        d.come(i, s)
        came.append(d.now)
        forecast.append(d.end_of(i) - d.now)
    while d.residents:
        d.step(float("inf"))
    took = [d.ends[i] - came[i] for i in range(a.jobs)]
    ratio = sorted(t / f for t, f in zip(took, forecast))
    off = sorted(abs(r - 1) for r in ratio)
    k = a.jobs * 9 // 10
    width = min(ratio[i + k] / ratio[i] for i in range(a.jobs - k))
    print(f"cap {cap}, {'mixed   ' if mixed else 'one size'}, load {load:4.2f}, {'fair end' if fair else 'equal   '}   "
          f"{off[a.jobs // 2] * 100:8.1f} % {off[k] * 100:7.1f} % {width:8.2f} {sum(took) / a.jobs / mean:8.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=1)
    a = parser.parse_args()
    print(f"{'':41s} error median    p90    width     time")
    for cap in (2, 4):
        for mixed in (False, True):
            for load in (0.35, 0.7):
                for fair in (False, True):
                    play(a, cap, mixed, load, fair)


main()
