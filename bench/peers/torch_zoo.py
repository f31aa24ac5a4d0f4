"""Training throughput of PyTorch for models of the zoo as in models/: MobileNet, ResNet, CharLSTM.

Usage: python3 bench/peers/torch_zoo.py [--threads 1] [--seconds 3] [MODEL ...]
Batch 32, plain SGD, cross-entropy, random data; the median of windows of steps after a warm-up.
One JSON line a model, to set beside `deno task bench:train --json MODEL`.
"""
import argparse
import json
import statistics
import time

import torch
from torch import nn

BATCH = 32


def norm_relu6(channels):
    return [nn.BatchNorm2d(channels, eps=1e-3), nn.ReLU6()]


def mobile_net(width=32):
    blocks = [(2, 1), (4, 2), (4, 1), (8, 2), (8, 1), (16, 2), (16, 1)]
    layers = [nn.Conv2d(3, width, 3, padding=1, bias=False), *norm_relu6(width)]
    before = width
    for multiple, stride in blocks:
        after = multiple * width
        layers += [
            nn.Conv2d(before, before, 3, stride, padding=1, groups=before, bias=False),
            *norm_relu6(before),
            nn.Conv2d(before, after, 1, bias=False),
            *norm_relu6(after),
        ]
        before = after
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 10))


class Block(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(after, eps=1e-3),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after, eps=1e-3),
        )
        same = stride == 1 and before == after
        self.shortcut = nn.Identity() if same else nn.Sequential(
            nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after, eps=1e-3)
        )

    def forward(self, x):
        return torch.relu(self.inner(x) + self.shortcut(x))


def res_net(width=16, blocks=3):
    layers = [nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width, eps=1e-3), nn.ReLU()]
    before = width
    for stage in range(3):
        for index in range(blocks):
            after = width * 2**stage
            layers.append(Block(before, after, 2 if stage > 0 and index == 0 else 1))
            before = after
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 10))


class CharLstm(nn.Module):
    def __init__(self, classes=80, embedding=8, units=128):
        super().__init__()
        self.embedding = nn.Embedding(classes, embedding)
        self.lstm = nn.LSTM(embedding, units, batch_first=True)
        self.head = nn.Linear(units, classes)

    def forward(self, x):
        return self.head(self.lstm(self.embedding(x))[0][:, -1])


def images():
    return torch.randn(BATCH, 3, 32, 32), torch.randint(10, (BATCH,))


def texts():
    return torch.randint(80, (BATCH, 40)), torch.randint(80, (BATCH,))


MODELS = {
    "MobileNet": (mobile_net, images),
    "ResNet": (res_net, images),
    "CharLSTM": (CharLstm, texts),
}


def rate(name, seconds):
    make, batch = MODELS[name]
    model = make().train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    loss_of = nn.CrossEntropyLoss()
    x, y = batch()

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss_of(model(x), y).backward()
        optimizer.step()

    for _ in range(3):
        step()
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    parameters = sum(p.numel() for p in model.parameters())
    samples = round(BATCH / statistics.median(times))
    return {"model": name, "params": parameters, "batch": BATCH, "samples_per_s": samples}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("models", nargs="*", default=list(MODELS))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    for name in args.models or list(MODELS):
        print(json.dumps(rate(name, args.seconds)), flush=True)
