"""The same training in PyTorch: eager, and as fast as PyTorch can be made to run it."""

import torch
from torch import nn

from case import Case, options, report

# eager: the training loop as people write it.
# graph: the steps of an epoch captured by hand in one CUDA graph.
# compiled: the loss and its gradients compiled, then captured alike.
# autotuned: compiled with mode max-autotune, then captured alike; takes minutes to compile.
VARIANTS = {
    "eager": None,
    "graph": None,
    "compiled": "default",
    "autotuned": "max-autotune-no-cudagraphs",
}


class Training:
    """A model, its data on the device, and the step."""

    def __init__(self, case, variant, precision):
        self.arguments = case.arguments
        device = self.device = self.arguments.device
        self.autocast = precision == "bf16"
        self.features = torch.from_numpy(case.features).to(device)
        self.targets = torch.from_numpy(case.targets).to(device)
        self.order = torch.from_numpy(case.order).to(device)
        self.model = self._model(case).to(device)
        self.losses = torch.zeros(self.arguments.batches, device=device)
        captured = variant != "eager" and device == "cuda"  # a CPU has no graphs
        self.optimizer = torch.optim.SGD(
            self.model.parameters(), lr=self.arguments.lr, fused=captured or None
        )
        self.loss = self._loss
        if VARIANTS[variant]:
            self.loss = torch.compile(self._loss, mode=VARIANTS[variant], dynamic=False)
        self.epoch = self._epoch
        if captured:
            self._capture()

    @staticmethod
    def _model(case):
        layers = []
        for number in range(case.layers):
            weights, biases = case.layer(number)
            layer = nn.utils.skip_init(nn.Linear, weights.shape[1], weights.shape[0])
            with torch.no_grad():
                layer.weight.copy_(torch.from_numpy(weights))
                layer.bias.copy_(torch.from_numpy(biases))
            layers += [layer, nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    def _loss(self, x, y):
        # Each weight is used once a step: nothing would be found in autocast's cache.
        with torch.autocast(
            self.device, torch.bfloat16, enabled=self.autocast, cache_enabled=False
        ):
            logits = self.model(x)
        return nn.functional.binary_cross_entropy_with_logits(logits.float(), y)

    def _epoch(self):
        for i in range(self.arguments.batches):
            rows = self.order[i]
            self.optimizer.zero_grad(set_to_none=True)
            x = torch.index_select(self.features, 0, rows)
            y = torch.index_select(self.targets, 0, rows)
            loss = self.loss(x, y)
            loss.backward()
            self.optimizer.step()
            self.losses[i] = loss.detach()

    def _capture(self):
        """Warms up on a stream of its own, as PyTorch asks, and goes back to the start."""
        start = [p.detach().clone() for p in self.model.parameters()]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(2):
                self._epoch()
        torch.cuda.current_stream().wait_stream(stream)
        self.optimizer.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._epoch()
        with torch.no_grad():
            for p, value in zip(self.model.parameters(), start):
                p.copy_(value)
        self.epoch = graph.replay

    def run(self, epochs):
        for _ in range(epochs):
            self.epoch()
        if self.device == "cuda":
            torch.cuda.synchronize()

    def read_losses(self):
        return self.losses.tolist()


def main():
    arguments = options(__doc__, ["eager", "graph", "compiled"])
    case = Case(arguments)
    for precision in arguments.precisions.split(","):
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        for variant in arguments.variants.split(","):

            def prepare():
                training = Training(case, variant, precision)
                return training.run, training.read_losses

            report("torch", torch.__version__, variant, precision, arguments, prepare)
            torch.compiler.reset()
            if arguments.device == "cuda":
                torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
