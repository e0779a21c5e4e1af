"""What the card can do at most: large matrix products in each precision and a large copy."""

import argparse
import json
import statistics

import torch

TYPES = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16}


def median_seconds(call, repeats):
    for _ in range(3):
        call()
    times = []
    for _ in range(repeats):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        call()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) * 1e-3)
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--precisions", default="fp32,tf32,bf16")
    parser.add_argument("--size", type=int, default=8192, help="of the square matrices")
    parser.add_argument("--copy-bytes", type=int, default=4 << 30)
    parser.add_argument("--repeats", type=int, default=10)
    arguments = parser.parse_args()
    n = arguments.size
    flops = {}
    for precision in arguments.precisions.split(","):
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        a, b = (torch.randn(n, n, device="cuda", dtype=TYPES[precision]) for _ in range(2))
        c = torch.empty_like(a)
        seconds = median_seconds(lambda: torch.matmul(a, b, out=c), arguments.repeats)
        flops[precision] = 2 * n**3 / seconds
    del a, b, c
    source = torch.ones(arguments.copy_bytes // 4, device="cuda")
    target = torch.empty_like(source)
    seconds = median_seconds(lambda: target.copy_(source), arguments.repeats)
    result = {
        "card": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "gemm_size": n,
        "gemm_flops": flops,
        "copy_bytes_per_second": 2 * source.numel() * 4 / seconds,  # read and written
    }
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
