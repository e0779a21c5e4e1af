package io.deltarule.app;

import io.deltarule.data.InputException;
import io.deltarule.engine.Output;
import io.deltarule.network.Network;
import io.deltarule.random.Philox;
import io.deltarule.training.Samples;

/** Random samples that suit a network: normal features, targets of the output's kind. */
final class RandomSamples {
  private static final int MOST_ELEMENTS = Integer.MAX_VALUE - 8;

  private RandomSamples() {}

  static Samples of(Network network, int rows, long seed) {
    long largest = (long) rows * Math.max(network.inputs(), network.outputs());
    if (largest > MOST_ELEMENTS) {
      throw new InputException(
          "%d random rows for %s are more than one array holds; take a smaller --batch"
              .formatted(rows, network.stack()));
    }
    Philox random = new Philox(seed, Philox.Purpose.DATA, 0);
    float[] features = new float[rows * network.inputs()];
    for (int i = 0; i < features.length; i++) {
      features[i] = (float) random.nextGaussian();
    }
    int outputs = network.outputs();
    float[] targets = new float[rows * outputs];
    for (int i = 0; i < rows; i++) {
      if (network.output() == Output.SOFTMAX) {
        targets[i * outputs + random.nextInt(outputs)] = 1;
      } else {
        for (int j = 0; j < outputs; j++) {
          targets[i * outputs + j] =
              network.output() == Output.SIGMOID
                  ? random.nextInt(2)
                  : (float) random.nextGaussian();
        }
      }
    }
    return new Samples(rows, network.inputs(), features, outputs, targets);
  }
}
