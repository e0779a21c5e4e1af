package io.deltarule.network;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Output;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * A stack of dense layers, as an immutable description without any numbers: {@code inputs}
 * features, hidden layers that share one activation, and the output layer.
 *
 * @param inputs the features of a sample, at least 1
 * @param hidden the units of each hidden layer, each at least 1; empty for a generalised linear
 *     model
 * @param activation the activation of all hidden layers
 * @param outputs the units of the output layer, at least 1
 * @param output the link and loss of the output layer
 */
public record Network(
    int inputs, List<Integer> hidden, Activation activation, int outputs, Output output) {

  /** The most weights that a layer may have: they are one Java array on the host. */
  public static final long MAX_WEIGHTS = Integer.MAX_VALUE - 1024;

  /**
   * Checks the description.
   *
   * @param inputs as above
   * @param hidden as above, copied
   * @param activation as above
   * @param outputs as above
   * @param output as above
   * @throws IllegalArgumentException naming what is wrong
   */
  public Network {
    hidden = List.copyOf(hidden);
    Objects.requireNonNull(activation, "activation");
    Objects.requireNonNull(output, "output");
    requirePositive("inputs", inputs);
    hidden.forEach(units -> requirePositive("units of a hidden layer", units));
    requirePositive("outputs", outputs);
    if (output == Output.SOFTMAX && outputs < 2) {
      throw new IllegalArgumentException(
          "softmax needs at least 2 outputs, not 1; use sigmoid for two classes");
    }
    int before = inputs;
    for (int units : append(hidden, outputs)) {
      if ((long) before * units > MAX_WEIGHTS) {
        throw new IllegalArgumentException(
            "a layer of %d inputs and %d units has more than %d weights"
                .formatted(before, units, MAX_WEIGHTS));
      }
      before = units;
    }
  }

  /**
   * The number of layers with weights, the hidden ones and the output.
   *
   * @return at least 1
   */
  public int layers() {
    return hidden.size() + 1;
  }

  /**
   * The inputs of a layer, {@code n(l-1)}.
   *
   * @param layer from 0 (the first hidden layer) to {@code layers() - 1} (the output layer)
   * @return the columns of its weights
   */
  public int inputs(int layer) {
    return layer == 0 ? inputs : hidden.get(layer - 1);
  }

  /**
   * The units of a layer, {@code n(l)}.
   *
   * @param layer from 0 to {@code layers() - 1}
   * @return the rows of its weights
   */
  public int units(int layer) {
    return layer == hidden.size() ? outputs : hidden.get(layer);
  }

  /**
   * All weights and biases.
   *
   * @return the sum over the layers of {@code units (inputs + 1)}
   */
  public long parameters() {
    return IntStream.range(0, layers()).mapToLong(l -> units(l) * (inputs(l) + 1L)).sum();
  }

  /**
   * The widths as the field writes them.
   *
   * @return such as {@code 30-64-32-1}
   */
  public String stack() {
    return inputs
        + "-"
        + append(hidden, outputs).stream().map(String::valueOf).collect(Collectors.joining("-"));
  }

  @Override
  public String toString() {
    return stack() + " " + activation.spelling() + " " + output.spelling();
  }

  private static void requirePositive(String what, int value) {
    if (value < 1) {
      throw new IllegalArgumentException(what + " must be at least 1, not " + value);
    }
  }

  private static List<Integer> append(List<Integer> list, int last) {
    List<Integer> all = new ArrayList<>(list);
    all.add(last);
    return all;
  }
}
