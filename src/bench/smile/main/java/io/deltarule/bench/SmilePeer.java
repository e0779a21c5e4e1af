package io.deltarule.bench;

import smile.classification.MLP;
import smile.model.mlp.Layer;
import smile.model.mlp.LayerBuilder;
import smile.model.mlp.OutputFunction;
import smile.tensor.DenseMatrix;
import smile.util.function.TimeFunction;

/** Smile's multilayer perceptron, which takes the rows of a batch one by one. */
final class SmilePeer implements Peer {
  private final double[][][] features = new double[Task.BATCHES][][];
  private final int[][] labels = new int[Task.BATCHES][];
  private Network network;

  @Override
  public String version() {
    return "Smile " + MLP.class.getPackage().getImplementationVersion();
  }

  @Override
  public String difference() {
    return "does not tell its loss, which is therefore not compared";
  }

  @Override
  public void prepare(Task task) {
    if (task.rule() != Rule.SGD) {
      throw new UnsupportedOperationException("its perceptron has no Adam");
    }
    int layers = task.layers();
    LayerBuilder[] builders = new LayerBuilder[layers + 1];
    builders[0] = Layer.input(task.widths()[0]);
    for (int l = 1; l < layers; l++) {
      builders[l] = Layer.rectifier(task.widths()[l]);
    }
    builders[layers] =
        Layer.mle(
            task.outputs(), task.outputs() == 1 ? OutputFunction.SIGMOID : OutputFunction.SOFTMAX);
    network = new Network(builders);
    network.setLearningRate(TimeFunction.constant(task.rate()));
    network.write(task);
    for (int b = 0; b < Task.BATCHES; b++) {
      labels[b] = task.labels(b);
      float[][] rows = Task.rows(task.features()[b], task.widths()[0]);
      features[b] = new double[rows.length][task.widths()[0]];
      for (int i = 0; i < rows.length; i++) {
        for (int j = 0; j < rows[i].length; j++) {
          features[b][i][j] = rows[i][j];
        }
      }
    }
  }

  @Override
  public void step(int batch) {
    network.update(features[batch], labels[batch]);
  }

  @Override
  public float loss() {
    return Float.NaN;
  }

  /** The layers are open to subclasses only. */
  private static final class Network extends MLP {
    private static final long serialVersionUID = 1;

    Network(LayerBuilder... builders) {
      super(builders);
    }

    void write(Task task) {
      for (int l = 0; l < task.layers(); l++) {
        Layer layer = l + 1 < net.length ? net[l + 1] : output; // the first has no weights
        DenseMatrix weight = layer.weight();
        int inputs = task.widths()[l];
        for (int i = 0; i < task.widths()[l + 1]; i++) {
          for (int j = 0; j < inputs; j++) {
            weight.set(i, j, task.weights()[l][i * inputs + j]);
          }
        }
        layer.bias().fill(0);
      }
    }
  }
}
