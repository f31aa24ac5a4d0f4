#!/usr/bin/env python3
"""Losses of PyTorch for tests/fixtures/torch_losses.json: LeNet5 and the MLP from given weights on
given batches, all made by formulas that tests/training/torch_losses_test.ts computes too.

Usage: python3 bench/peers/torch_losses.py > tests/fixtures/torch_losses.json
"""
import json

import torch
from torch import nn

STEPS, SAMPLES, RATE, CLASSES = 25, 8, 0.1, 10


def numbers(start, count):
    """`count` numbers in [-1, 1) from place `start` of a fixed sequence: a hash of 32-bit integers."""
    mask = 0xFFFFFFFF
    result = []
    for place in range(start, start + count):
        h = (place * 2654435761 + 0x9E3779B9) & mask
        h = ((h ^ (h >> 15)) * 0x85EBCA6B) & mask
        h = ((h ^ (h >> 13)) * 0xC2B2AE35) & mask
        result.append((h ^ (h >> 16)) / 2**31 - 1)
    return torch.tensor(result)


def weights(tensor, start):
    """Fills a weight with the sequence, scaled by its inputs, in the order of Flotilla's layout:
    [height][width][in][out] for a convolution, [in][out] for a dense layer."""
    shape = list(tensor.shape)
    spread = (3.0 / tensor[0].numel()) ** 0.5
    if len(shape) == 4:
        out, into, height, width = shape
        values = numbers(start, tensor.numel()).reshape(height, width, into, out).permute(3, 2, 0, 1)
    else:
        values = numbers(start, tensor.numel()).reshape(shape[1], shape[0]).t()
    with torch.no_grad():
        tensor.copy_(values * spread)
    return start + tensor.numel()


class ChannelsLast(nn.Module):
    """Flattens [N, C, H, W] in the order height, width, channel."""

    def forward(self, images):
        return images.permute(0, 2, 3, 1).flatten(1)


def lenet5():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        ChannelsLast(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, CLASSES),
    )


def mlp():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, CLASSES)
    )


def losses(model, optimizer):
    start = 0
    for module in model:
        if hasattr(module, "weight"):
            start = weights(module.weight, start)
            nn.init.zeros_(module.bias)
    steps = optimizer(model.parameters())
    result = []
    for step in range(STEPS):
        # The same items again and again in turn, so that there is something to learn.
        first = step % 4 * SAMPLES
        items = numbers(1_000_000 + first * 784, SAMPLES * 784).reshape(SAMPLES, 1, 28, 28)
        labels = torch.tensor([(first + n) * 7 % CLASSES for n in range(SAMPLES)])
        loss = nn.functional.cross_entropy(model(items), labels)
        steps.zero_grad()
        loss.backward()
        steps.step()
        result.append(loss.item())
    return result


OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=RATE),
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=RATE / 100),
}

torch.set_num_threads(1)
print(json.dumps({
    "torch": torch.__version__,
    "steps": STEPS,
    "samples": SAMPLES,
    "runs": [
        {
            "model": name,
            "optimizer": optimizer,
            "learning_rate": RATE if optimizer == "sgd" else RATE / 100,
            "losses": losses(build(), make),
        }
        for name, build in [("LeNet5", lenet5), ("MLP", mlp)]
        for optimizer, make in OPTIMIZERS.items()
    ],
}, indent=2))
