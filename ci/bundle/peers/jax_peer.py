"""The same training in JAX, jit-compiled: a step at a time, and an epoch in one call."""

import functools
import os

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
import jax.numpy as jnp

from case import Case, options, report

MATMUL = {"fp32": "highest", "tf32": "tensorfloat32", "bf16": "default"}


def loss(parameters, x, y, dtype):
    """Binary cross-entropy; dtype bfloat16 computes the layers in it, as autocast does."""
    a = x.astype(dtype)
    for weights, biases in parameters:
        z = a @ weights.astype(dtype).T + biases.astype(dtype)
        a = jax.nn.relu(z)
    z = z.astype(jnp.float32)
    return jnp.mean(jnp.maximum(z, 0) - z * y + jnp.log1p(jnp.exp(-jnp.abs(z))))


class Training:
    """Parameters and data on the device, and the compiled step."""

    def __init__(self, case, variant, precision):
        self.batches = case.arguments.batches
        device = jax.devices(case.arguments.device)[0]
        put = functools.partial(jax.device_put, device=device)
        self.parameters = [tuple(map(put, case.layer(l))) for l in range(case.layers)]
        self.features, self.targets = put(case.features), put(case.targets)
        self.order = [put(rows) for rows in case.order] if variant == "step" else put(case.order)
        self.values = None
        dtype = jnp.bfloat16 if precision == "bf16" else jnp.float32
        rate = case.arguments.lr

        def step(parameters, features, targets, rows):
            x, y = features[rows], targets[rows]
            value, gradient = jax.value_and_grad(loss)(parameters, x, y, dtype)
            return jax.tree.map(lambda p, g: p - rate * g, parameters, gradient), value

        def epoch(parameters, features, targets, order):
            return jax.lax.scan(
                lambda p, rows: step(p, features, targets, rows), parameters, order
            )

        self.epoch = self._steps if variant == "step" else self._scan
        self.compiled = jax.jit(step if variant == "step" else epoch, donate_argnums=0)

    def _steps(self):
        values = []
        for rows in self.order:
            self.parameters, value = self.compiled(
                self.parameters, self.features, self.targets, rows
            )
            values.append(value)
        self.values = values

    def _scan(self):
        self.parameters, self.values = self.compiled(
            self.parameters, self.features, self.targets, self.order
        )

    def run(self, epochs):
        for _ in range(epochs):
            self.epoch()
        jax.block_until_ready((self.parameters, self.values))

    def read_losses(self):
        return [float(value) for value in self.values]


def main():
    arguments = options(__doc__, ["step", "scan"])
    case = Case(arguments)
    for precision in arguments.precisions.split(","):
        for variant in arguments.variants.split(","):

            def prepare():
                training = Training(case, variant, precision)
                return training.run, training.read_losses

            with jax.default_matmul_precision(MATMUL[precision]):
                report("jax", jax.__version__, variant, precision, arguments, prepare)


if __name__ == "__main__":
    main()
