package io.deltarule.network;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Output;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ParametersTest {

  @ParameterizedTest
  @EnumSource(Activation.class)
  void varianceIsTheGainsSquareOverTheInputs(Activation f) {
    Network network = new Network(50, List.of(400, 200), f, 100, Output.LINEAR);
    Parameters parameters = Parameters.initialise(network, 1);
    for (int l = 0; l < network.layers(); l++) {
      float[] w = parameters.weights()[l];
      double gain = l == 2 ? 1 : f.gain();
      double variance = gain * gain / network.inputs(l);
      double mean = 0;
      double squares = 0;
      for (float value : w) {
        mean += value / w.length;
        squares += (double) value * value / w.length;
      }
      // Five standard errors.
      assertEquals(0, mean, 5 * Math.sqrt(variance / w.length));
      assertEquals(variance, squares, 5 * variance * Math.sqrt(2.0 / w.length));
      assertArrayEquals(new float[network.units(l)], parameters.biases()[l]);
    }
  }

  @Test
  void aWeightDependsOnSeedLayerAndNumberAlone() {
    Network network = new Network(3, List.of(4, 3), Activation.RELU, 2, Output.SOFTMAX);
    Network wider = new Network(3, List.of(9, 3), Activation.RELU, 2, Output.SOFTMAX);
    Parameters parameters = Parameters.initialise(network, 5);
    Parameters again = Parameters.initialise(network, 5);
    for (int l = 0; l < network.layers(); l++) {
      assertArrayEquals(again.weights()[l], parameters.weights()[l]);
    }
    assertArrayEquals(
        parameters.weights()[0], Arrays.copyOf(Parameters.initialise(wider, 5).weights()[0], 12));
    assertFalse(
        Arrays.equals(parameters.weights()[0], Parameters.initialise(network, 6).weights()[0]));
    assertFalse(
        Arrays.equals(
            Arrays.copyOf(parameters.weights()[0], 6), Arrays.copyOf(parameters.weights()[2], 6)));
  }

  @Test
  void lengthsAreChecked() {
    Network network = new Network(3, List.of(), Activation.RELU, 2, Output.SOFTMAX);
    assertRefused("weights of layer 0: expected 6, got 5", network, new float[5], new float[2]);
    assertRefused("biases of layer 0: expected 2, got 3", network, new float[6], new float[3]);
    assertThrows(
        IllegalArgumentException.class,
        () -> new Parameters(network, new float[2][6], new float[1][2]));
    assertThrows(
        IllegalArgumentException.class,
        () -> new Parameters(network, new float[1][6], new float[0][]));
  }

  private static void assertRefused(String reason, Network network, float[] w, float[] b) {
    String message =
        assertThrows(
                IllegalArgumentException.class,
                () -> new Parameters(network, new float[][] {w}, new float[][] {b}))
            .getMessage();
    assertTrue(message.contains(reason), message);
  }
}
