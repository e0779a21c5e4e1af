package io.deltarule.network;

import io.deltarule.random.Philox;

/**
 * The numbers of a network on the host: {@code weights[l]} is W of layer l, row-major [units x
 * inputs] as in the derivation and as PyTorch stores it; {@code biases[l]} is b, [units].
 *
 * @param network whose parameters these are
 * @param weights one array per layer
 * @param biases one array per layer
 */
public record Parameters(Network network, float[][] weights, float[][] biases) {

  /**
   * Checks the lengths.
   *
   * @param network as above
   * @param weights as above
   * @param biases as above
   * @throws IllegalArgumentException naming the first array of another length than the network's
   */
  public Parameters {
    requireLength("layers of weights", network.layers(), weights.length);
    requireLength("layers of biases", network.layers(), biases.length);
    for (int l = 0; l < network.layers(); l++) {
      int units = network.units(l);
      requireLength("weights of layer " + l, units * network.inputs(l), weights[l].length);
      requireLength("biases of layer " + l, units, biases[l].length);
    }
  }

  /**
   * Draws initial weights from a normal distribution of standard deviation {@code gain /
   * sqrt(inputs)} (He et al. 2015, equation 10, for ReLU) and sets the biases to zero. The output
   * layer's gain is 1. Weight i of layer l is a function of (seed, l, i) alone.
   *
   * @param network to initialise
   * @param seed the seed
   * @return new parameters
   */
  public static Parameters initialise(Network network, long seed) {
    float[][] weights = new float[network.layers()][];
    float[][] biases = new float[network.layers()][];
    for (int l = 0; l < network.layers(); l++) {
      double gain = l == network.layers() - 1 ? 1 : network.activation().gain();
      double deviation = gain / Math.sqrt(network.inputs(l));
      Philox random = new Philox(seed, Philox.Purpose.INITIALISE, l);
      weights[l] = new float[network.units(l) * network.inputs(l)];
      for (int i = 0; i < weights[l].length; i++) {
        weights[l][i] = (float) (deviation * random.nextGaussian());
      }
      biases[l] = new float[network.units(l)];
    }
    return new Parameters(network, weights, biases);
  }

  private static void requireLength(String what, int expected, int actual) {
    if (expected != actual) {
      throw new IllegalArgumentException(what + ": expected " + expected + ", got " + actual);
    }
  }
}
