"""The case that all peers run: its numbers, the timing and the report."""

import argparse
import json
import time
import traceback
from pathlib import Path

import numpy as np


def options(description, variants):
    """Parses the options that all peers have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("inputs", type=Path, help="folder with the weights and the data")
    parser.add_argument("--stack", required=True, help="widths such as 30-64-32-1")
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--batches", type=int, required=True, help="mini-batches of an epoch")
    parser.add_argument("--epochs", type=int, required=True, help="after which the loss is compared")
    parser.add_argument("--lr", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True, help="for all repeats together")
    parser.add_argument("--repeats", type=int, required=True)
    parser.add_argument("--precisions", default="fp32", help="fp32, tf32, bf16, with commas")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--variants", default=",".join(variants))
    return parser.parse_args()


class Case:
    """Weights [(W [units x inputs], b [units])], features, targets and the order of the rows."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.widths = [int(width) for width in arguments.stack.split("-")]
        rows = arguments.batch * arguments.batches
        self.features = self._read("features.f32", np.float32, (rows, self.widths[0]))
        self.targets = self._read("targets.f32", np.float32, (rows, self.widths[-1]))
        self.order = self._read("order.i32", np.int32, (arguments.batches, arguments.batch))

    def layer(self, number):
        inputs, units = self.widths[number], self.widths[number + 1]
        return (
            self._read(f"weights{number}.f32", np.float32, (units, inputs)),
            self._read(f"biases{number}.f32", np.float32, (units,)),
        )

    @property
    def layers(self):
        return len(self.widths) - 1

    def _read(self, name, kind, shape):
        numbers = np.fromfile(self.arguments.inputs / name, np.dtype(kind).newbyteorder("<"))
        return numbers.astype(kind, copy=False).reshape(shape)


def report(peer, version, variant, precision, arguments, prepare):
    """Prints one line of JSON with what a variant has measured, or with its error.

    prepare() gives run(epochs), which trains from the start and waits, and losses(), those of the
    last epoch's batches.
    """
    result = {"peer": peer, "version": version, "variant": variant, "precision": precision}
    try:
        run, losses = prepare()
        run(1)
        result["first_loss"] = float(losses()[0])
        run(arguments.epochs - 1)
        result["final_loss"] = float(losses()[-1])
        result["step_seconds"] = step_seconds(run, arguments)
    except Exception as e:  # A peer that fails is reported; the next may do.
        traceback.print_exc()
        result["error"] = f"{type(e).__name__}: {e}"[:500]
    print(json.dumps(result), flush=True)


def step_seconds(run, arguments):
    """Warms up, then gives the time of a step in each repeat. The host waits once a repeat."""
    start = time.perf_counter()
    runs = 0
    spent = 0
    while spent < arguments.seconds / 2:
        run(1)
        runs += 1
        spent = time.perf_counter() - start
    inner = max(1, int(runs * arguments.seconds / spent / arguments.repeats))
    times = []
    for _ in range(arguments.repeats):
        start = time.perf_counter()
        run(inner)
        times.append((time.perf_counter() - start) / inner / arguments.batches)
    return times
