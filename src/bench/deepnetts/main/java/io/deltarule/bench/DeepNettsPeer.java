package io.deltarule.bench;

import deepnetts.net.FeedForwardNetwork;
import deepnetts.net.layers.AbstractLayer;
import deepnetts.net.layers.activation.ActivationType;
import deepnetts.net.loss.LossFunction;
import deepnetts.net.loss.LossType;
import deepnetts.net.train.opt.OptimizerType;
import deepnetts.util.Tensor;

/**
 * Deep Netts' network, trained as its trainer does it, a row at a time and on one thread, but
 * without the accuracy that the trainer computes on the rows after each epoch.
 */
final class DeepNettsPeer implements Peer {
  private final Tensor[][] features = new Tensor[Task.BATCHES][];
  private final float[][][] targets = new float[Task.BATCHES][][];
  private FeedForwardNetwork network;
  private LossFunction lossFunction;

  @Override
  public String version() {
    return "Deep Netts "
        + MavenVersion.of(FeedForwardNetwork.class, "com.deepnetts/deepnetts-core");
  }

  @Override
  public void prepare(Task task) {
    if (task.rule() != Rule.SGD) {
      throw new UnsupportedOperationException("it has no Adam");
    }
    if (task.threads() != 1) {
      throw new UnsupportedOperationException("it computes on one thread");
    }
    int layers = task.layers();
    var builder = FeedForwardNetwork.builder().addInputLayer(task.widths()[0]);
    for (int l = 1; l < layers; l++) {
      builder.addFullyConnectedLayer(task.widths()[l], ActivationType.RELU);
    }
    ActivationType link = task.outputs() == 1 ? ActivationType.SIGMOID : ActivationType.SOFTMAX;
    network =
        builder.addOutputLayer(task.outputs(), link).lossFunction(LossType.CROSS_ENTROPY).build();
    lossFunction = network.getLossFunction();
    for (int l = 0; l < layers; l++) {
      AbstractLayer layer = network.getLayers().get(l + 1);
      layer.setWeights(
          new Tensor(task.widths()[l], task.widths()[l + 1], task.transposedWeights(l)));
      layer.setBiases(new float[task.widths()[l + 1]]);
      layer.setLearningRate(task.rate());
      layer.setBatchMode(true);
      layer.setBatchSize(task.batch());
      layer.setOptimizerType(OptimizerType.SGD); // takes the rate that is set by now
    }
    for (int b = 0; b < Task.BATCHES; b++) {
      float[][] rows = Task.rows(task.features()[b], task.widths()[0]);
      features[b] = new Tensor[rows.length];
      for (int i = 0; i < rows.length; i++) {
        features[b][i] = new Tensor(rows[i]);
      }
      targets[b] = Task.rows(task.targets()[b], task.outputs());
    }
  }

  @Override
  public void step(int batch) {
    lossFunction.reset();
    for (int i = 0; i < features[batch].length; i++) {
      network.setInput(features[batch][i]);
      network.forward();
      network.setOutputError(lossFunction.addPatternError(network.getOutput(), targets[batch][i]));
      network.backward();
    }
    network.applyWeightChanges();
  }

  @Override
  public float loss() {
    return lossFunction.getTotal();
  }
}
