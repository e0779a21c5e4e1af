package io.deltarule.bench;

import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.layers.DenseLayer;
import org.deeplearning4j.nn.conf.layers.OutputLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.config.Adam;
import org.nd4j.linalg.learning.config.Sgd;
import org.nd4j.linalg.lossfunctions.LossFunctions.LossFunction;

/** DL4J's network on ND4J's CPU backend; the environment sets its threads. */
final class Dl4jPeer implements Peer {
  private final INDArray[] features = new INDArray[Task.BATCHES];
  private final INDArray[] targets = new INDArray[Task.BATCHES];
  private MultiLayerNetwork network;

  @Override
  public String version() {
    return "DL4J "
        + MavenVersion.of(MultiLayerNetwork.class, "org.deeplearning4j/deeplearning4j-nn");
  }

  @Override
  public void prepare(Task task) {
    int last = task.layers() - 1;
    var list =
        new NeuralNetConfiguration.Builder()
            .updater(task.rule() == Rule.SGD ? new Sgd(task.rate()) : new Adam(task.rate()))
            .list();
    for (int l = 0; l < last; l++) {
      list.layer(
          new DenseLayer.Builder()
              .nIn(task.widths()[l])
              .nOut(task.widths()[l + 1])
              .activation(Activation.RELU)
              .build());
    }
    boolean sigmoid = task.outputs() == 1;
    list.layer(
        new OutputLayer.Builder(sigmoid ? LossFunction.XENT : LossFunction.MCXENT)
            .nIn(task.widths()[last])
            .nOut(task.outputs())
            .activation(sigmoid ? Activation.SIGMOID : Activation.SOFTMAX)
            .build());
    network = new MultiLayerNetwork(list.build());
    network.init();
    for (int l = 0; l <= last; l++) {
      float[] w = task.transposedWeights(l);
      network
          .getLayer(l)
          .setParam("W", Nd4j.create(w, new int[] {task.widths()[l], task.widths()[l + 1]}));
    }
    for (int b = 0; b < Task.BATCHES; b++) {
      features[b] = Nd4j.create(task.features()[b], new int[] {task.batch(), task.widths()[0]});
      targets[b] = Nd4j.create(task.targets()[b], new int[] {task.batch(), task.outputs()});
    }
  }

  @Override
  public void step(int batch) {
    network.fit(features[batch], targets[batch]);
  }

  @Override
  public float loss() {
    return (float) network.score();
  }
}
