package io.deltarule.reference;

import io.deltarule.engine.UpdateRule;
import io.deltarule.network.Network;
import io.deltarule.network.Parameters;
import java.util.stream.IntStream;

/**
 * A whole network in double precision: the equations of {@link Reference} one layer after the
 * other. Layers count from 0; {@code n(l)} are the units of layer l, {@code n(l-1)} its inputs.
 */
public final class ReferenceNetwork {
  private final Network network;
  private final double[][][] weights; // [l][n(l)][n(l-1)]
  private final double[][] biases; // [l][n(l)]
  private double[][][][] weightState; // [l][n(l)][state rows][n(l-1)], from the first update on
  private double[][][] biasState; // [l][state rows][n(l)]

  /**
   * A network of given parameters, which are copied.
   *
   * @param network the stack
   * @param weights {@code [l][n(l)][n(l-1)]}
   * @param biases {@code [l][n(l)]}
   * @throws IllegalArgumentException naming the first array of another length than the network's
   */
  public ReferenceNetwork(Network network, double[][][] weights, double[][] biases) {
    requireLength("layers of weights", network.layers(), weights.length);
    requireLength("layers of biases", network.layers(), biases.length);
    this.network = network;
    this.weights = new double[network.layers()][][];
    this.biases = new double[network.layers()][];
    for (int l = 0; l < network.layers(); l++) {
      requireLength("rows of the weights of layer " + l, network.units(l), weights[l].length);
      requireLength("biases of layer " + l, network.units(l), biases[l].length);
      this.weights[l] = new double[network.units(l)][];
      for (int j = 0; j < network.units(l); j++) {
        requireLength(
            "columns of the weights of layer " + l, network.inputs(l), weights[l][j].length);
        this.weights[l][j] = weights[l][j].clone();
      }
      this.biases[l] = biases[l].clone();
    }
  }

  /**
   * A network of 32-bit parameters, exactly.
   *
   * @param parameters copied
   */
  public ReferenceNetwork(Parameters parameters) {
    this(
        parameters.network(),
        IntStream.range(0, parameters.network().layers())
            .mapToObj(
                l ->
                    rows(
                        parameters.weights()[l],
                        parameters.network().units(l),
                        parameters.network().inputs(l)))
            .toArray(double[][][]::new),
        IntStream.range(0, parameters.network().layers())
            .mapToObj(l -> rows(parameters.biases()[l], 1, parameters.network().units(l))[0])
            .toArray(double[][]::new));
  }

  /**
   * What a forward pass computes.
   *
   * @param z pre-activations {@code [l][m][n(l)]}; the last layer's are the logits
   * @param a activations {@code [l][m][n(l)]}; the last layer's are the logits again
   */
  public record Forward(double[][][] z, double[][][] a) {

    /**
     * The logits.
     *
     * @return Z of the output layer [m x outputs]
     */
    public double[][] logits() {
      return z[z.length - 1];
    }
  }

  /**
   * What backpropagation computes.
   *
   * @param loss the mean loss over the samples
   * @param errors the error signals D, divided by m, {@code [l][m][n(l)]}
   * @param weights the gradients of the weights {@code [l][n(l)][n(l-1)]}
   * @param biases the gradients of the biases {@code [l][n(l)]}
   */
  public record Gradients(
      double loss, double[][][] errors, double[][][] weights, double[][] biases) {}

  /**
   * The stack.
   *
   * @return its description
   */
  public Network network() {
    return network;
  }

  /**
   * The weights of a layer, live.
   *
   * @param layer from 0
   * @return W [n(l) x n(l-1)]
   */
  public double[][] weights(int layer) {
    return weights[layer];
  }

  /**
   * The biases of a layer, live.
   *
   * @param layer from 0
   * @return b [n(l)]
   */
  public double[] biases(int layer) {
    return biases[layer];
  }

  /**
   * The forward pass, (E1) and (E2) for each layer; the output layer stops at its logits.
   *
   * @param x inputs [m x n(0)]
   * @return all pre-activations and activations
   */
  public Forward forward(double[][] x) {
    double[][][] z = new double[network.layers()][][];
    double[][][] a = new double[network.layers()][][];
    double[][] below = x;
    for (int l = 0; l < network.layers(); l++) {
      z[l] = Reference.preActivations(below, weights[l], biases[l]);
      boolean hidden = l < network.layers() - 1;
      a[l] = hidden ? Reference.activations(network.activation(), z[l]) : z[l];
      below = a[l];
    }
    return new Forward(z, a);
  }

  /**
   * Backpropagation: (E4) at the output, then (E5) from layer to layer, (E6) and (E7) at each.
   *
   * @param x inputs [m x n(0)]
   * @param y targets [m x outputs]
   * @return the loss, the error signals and all gradients
   */
  public Gradients backpropagate(double[][] x, double[][] y) {
    Forward pass = forward(x);
    int top = network.layers() - 1;
    double[][][] d = new double[network.layers()][][];
    double[][][] dw = new double[network.layers()][][];
    double[][] db = new double[network.layers()][];
    d[top] = Reference.outputError(network.output(), pass.logits(), y);
    for (int l = top; l >= 0; l--) {
      if (l < top) {
        double[][] saved = network.activation().savesInput() ? pass.z()[l] : pass.a()[l];
        d[l] = Reference.propagate(d[l + 1], weights[l + 1], network.activation(), saved);
      }
      double[][] inputs = l == 0 ? x : pass.a()[l - 1];
      dw[l] = Reference.weightGradient(d[l], inputs, network.units(l), network.inputs(l));
      db[l] = Reference.biasGradient(d[l], network.units(l));
    }
    return new Gradients(Reference.meanLoss(network.output(), pass.logits(), y), d, dw, db);
  }

  /**
   * Updates all parameters, (E8); the rule's memory starts at zero and is kept here. One network
   * follows one rule.
   *
   * @param rule how
   * @param gradients of these parameters
   * @param scalars a row of the schedule, see {@link UpdateRule#scalars}
   */
  public void update(UpdateRule rule, Gradients gradients, float[] scalars) {
    double[] row = rows(scalars, 1, scalars.length)[0];
    if (weightState == null) {
      weightState = new double[network.layers()][][][];
      biasState = new double[network.layers()][][];
      for (int l = 0; l < network.layers(); l++) {
        weightState[l] = new double[network.units(l)][rule.stateRows()][network.inputs(l)];
        biasState[l] = new double[rule.stateRows()][network.units(l)];
      }
    }
    for (int l = 0; l < network.layers(); l++) {
      for (int j = 0; j < network.units(l); j++) {
        Reference.update(rule, weights[l][j], gradients.weights[l][j], weightState[l][j], row);
      }
      Reference.update(rule, biases[l], gradients.biases[l], biasState[l], row);
    }
  }

  /**
   * Rows of doubles from a row-major array of floats, exactly.
   *
   * @param values row-major, at least {@code rows columns}
   * @param rows at least 0
   * @param columns at least 0
   * @return [rows x columns]
   */
  public static double[][] rows(float[] values, int rows, int columns) {
    double[][] result = new double[rows][columns];
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < columns; j++) {
        result[i][j] = values[i * columns + j];
      }
    }
    return result;
  }

  private static void requireLength(String what, int expected, int actual) {
    if (expected != actual) {
      throw new IllegalArgumentException(what + ": expected " + expected + ", got " + actual);
    }
  }
}
