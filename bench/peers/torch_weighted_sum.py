"""GB/s of update bytes read by PyTorch's in-place add, one thread: python3 FILE UPDATES FLOATS."""

import statistics
import sys
import time

import torch

torch.set_num_threads(1)
updates, floats = int(sys.argv[1]), int(sys.argv[2])
values = [torch.rand(floats) for _ in range(updates)]
seconds = []
for _ in range(6):
    start = time.perf_counter()
    total = torch.zeros(floats)
    for i, update in enumerate(values):
        total.add_(update, alpha=(i + 1) / updates)
    seconds.append(time.perf_counter() - start)
print(updates * floats * 4 / statistics.median(seconds[1:]) / 1e9)
