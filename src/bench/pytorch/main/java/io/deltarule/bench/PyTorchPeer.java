package io.deltarule.bench;

import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Adam;
import org.bytedeco.pytorch.AdamOptions;
import org.bytedeco.pytorch.LinearImpl;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Optimizer;
import org.bytedeco.pytorch.SGD;
import org.bytedeco.pytorch.SGDOptions;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/** PyTorch's C++ interface through JavaCPP. */
final class PyTorchPeer implements Peer {
  private final Tensor[] features = new Tensor[Task.BATCHES];
  private final Tensor[] targets = new Tensor[Task.BATCHES];
  private LinearImpl[] layers;
  private Optimizer optimizer;
  private float loss;

  @Override
  public String version() {
    return "PyTorch and JavaCPP " + torch.class.getPackage().getImplementationVersion();
  }

  @Override
  public void prepare(Task task) {
    torch.set_num_threads(task.threads());
    layers = new LinearImpl[task.layers()];
    TensorVector parameters = new TensorVector();
    try (NoGradGuard guard = new NoGradGuard()) {
      for (int l = 0; l < layers.length; l++) {
        layers[l] = new LinearImpl(task.widths()[l], task.widths()[l + 1]);
        layers[l].weight().copy_(tensor(task.weights()[l], task.widths()[l + 1], task.widths()[l]));
        layers[l].bias().zero_();
        parameters.push_back(layers[l].weight()).push_back(layers[l].bias());
      }
      for (int b = 0; b < Task.BATCHES; b++) {
        features[b] = tensor(task.features()[b], task.batch(), task.widths()[0]);
        targets[b] = tensor(task.targets()[b], task.batch(), task.outputs());
      }
    }
    optimizer =
        task.rule() == Rule.SGD
            ? new SGD(parameters, new SGDOptions(task.rate()))
            : new Adam(parameters, new AdamOptions(task.rate()));
  }

  private static Tensor tensor(float[] values, long rows, long columns) {
    return torch.from_blob(new FloatPointer(values), rows, columns).clone();
  }

  @Override
  public void step(int batch) {
    try (PointerScope scope = new PointerScope()) { // frees the tensors of the step
      Tensor a = features[batch];
      for (int l = 0; l < layers.length; l++) {
        a = layers[l].forward(a);
        a = l < layers.length - 1 ? torch.relu(a) : a;
      }
      Tensor mean =
          targets[batch].size(1) == 1
              ? torch.binary_cross_entropy_with_logits(a, targets[batch])
              : torch.cross_entropy(a, targets[batch]);
      optimizer.zero_grad();
      mean.backward();
      optimizer.step();
      loss = mean.item_float();
    }
  }

  @Override
  public float loss() {
    return loss;
  }
}
