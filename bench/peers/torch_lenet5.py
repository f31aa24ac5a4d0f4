"""Samples of LeNet5 a second that PyTorch trains in each of some processes at once, one thread each,
the least of them: python3 FILE PROCESSES. Batch 32, SGD, cross-entropy, random data in memory.
"""

import statistics
import sys
import time
from multiprocessing import Barrier, Process, Queue

import torch
from torch import nn

SAMPLES, BATCH, EPOCHS = 2048, 32, 5


def lenet5():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )


def train(barrier, rates):
    torch.set_num_threads(1)
    model, loss = lenet5(), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    x, y = torch.rand(SAMPLES, 1, 28, 28), torch.randint(0, 10, (SAMPLES,))
    seconds = []
    for _ in range(EPOCHS + 1):
        barrier.wait()
        start = time.perf_counter()
        for i in range(0, SAMPLES, BATCH):
            optimizer.zero_grad()
            loss(model(x[i:i + BATCH]), y[i:i + BATCH]).backward()
            optimizer.step()
        seconds.append(time.perf_counter() - start)
    rates.put(SAMPLES / statistics.median(seconds[1:]))


if __name__ == "__main__":
    count = int(sys.argv[1])
    barrier, rates = Barrier(count), Queue()
    processes = [Process(target=train, args=(barrier, rates)) for _ in range(count)]
    for process in processes:
        process.start()
    print(min(rates.get() for _ in processes))
    for process in processes:
        process.join()
