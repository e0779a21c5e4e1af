package io.deltarule.reference;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Output;
import io.deltarule.engine.Tolerance;
import io.deltarule.network.Network;
import io.deltarule.network.Parameters;
import io.deltarule.random.Philox;
import io.deltarule.reference.GradientCheck.LayerResult;
import io.deltarule.reference.GradientCheck.Options;
import io.deltarule.reference.ReferenceNetwork.Gradients;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The reference's gradients are those of its loss, and the check would say so if they were not. */
class GradientCheckTest {
  private static final List<List<Integer>> STACKS =
      List.of(List.of(), List.of(5), List.of(6, 5), List.of(6, 5, 4), List.of(7, 6, 5, 4));

  private static double[][] gaussian(int rows, int columns, double deviation, int stream) {
    Philox random = new Philox(11, Philox.Purpose.DATA, stream);
    double[][] x = new double[rows][columns];
    for (double[] row : x) {
      for (int j = 0; j < columns; j++) {
        row[j] = deviation * random.nextGaussian();
      }
    }
    return x;
  }

  private static double[][] targets(Output output, int rows, int columns) {
    double[][] y = gaussian(rows, columns, 1, 99);
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < columns; j++) {
        y[i][j] =
            switch (output) {
              case SIGMOID -> y[i][j] > 0 ? 1 : 0;
              case SOFTMAX -> j == i % columns ? 1 : 0;
              case LINEAR -> y[i][j];
            };
      }
    }
    return y;
  }

  /** Initial weights, and biases that are not zero. */
  private static ReferenceNetwork network(
      int inputs, List<Integer> hidden, Activation f, int outputs, Output output) {
    Network network = new Network(inputs, hidden, f, outputs, output);
    ReferenceNetwork reference = new ReferenceNetwork(Parameters.initialise(network, 3));
    for (int l = 0; l < network.layers(); l++) {
      double[] biases = gaussian(1, network.units(l), 0.3, l)[0];
      System.arraycopy(biases, 0, reference.biases(l), 0, biases.length);
    }
    return reference;
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void gradientsAreDerivativesOfTheLoss(Activation f) {
    for (Output output : Output.values()) {
      for (List<Integer> hidden : STACKS) {
        for (double size : new double[] {1, 1e-3, 100}) { // of the inputs
          ReferenceNetwork reference = network(4, hidden, f, 3, output);
          double[][] x = gaussian(9, 4, size, hidden.size());
          List<LayerResult> results =
              GradientCheck.check(reference, x, targets(output, 9, 3), Options.ALL);
          assertEquals(hidden.size() + 1, results.size());
          for (LayerResult result : results) {
            String what = reference.network() + ", inputs of " + size + ": " + result;
            assertTrue(result.passed(), what);
            assertEquals(result.parameters(), result.checked() + result.kinks(), what);
            assertTrue(result.kinks() <= result.parameters() / 10, what);
          }
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void aWrongGradientIsFound(Activation f) {
    for (Output output : Output.values()) {
      ReferenceNetwork reference = network(4, List.of(6, 5), f, 3, output);
      double[][] x = gaussian(9, 4, 1, 0);
      double[][] y = targets(output, 9, 3);
      for (int l = 0; l < 3; l++) {
        for (boolean bias : new boolean[] {false, true}) {
          Gradients gradients = reference.backpropagate(x, y);
          double[] row = bias ? gradients.biases()[l] : gradients.weights()[l][1];
          int largest = 0;
          for (int k = 0; k < row.length; k++) {
            largest = Math.abs(row[k]) > Math.abs(row[largest]) ? k : largest;
          }
          row[largest] *= 1 + 1e-3;
          List<LayerResult> results = GradientCheck.check(reference, x, y, gradients, Options.ALL);
          for (LayerResult result : results) {
            String what = reference.network() + ", planted in layer " + l + ": " + result;
            assertEquals(result.layer() != l, result.passed(), what);
          }
          String where = bias ? "bias[" + largest + "]" : "weight[1][" + largest + "]";
          assertTrue(results.get(l).where().startsWith(where), results.get(l).where());
          assertEquals(1e-3, results.get(l).worst(), 1e-5);
        }
      }
    }
  }

  /** Every single gradient of a layer, and one that is not a number. */
  @Test
  void noErrorHidesInALayer() {
    ReferenceNetwork reference = network(4, List.of(6, 5), Activation.GELU, 3, Output.SOFTMAX);
    double[][] x = gaussian(9, 4, 1, 0);
    double[][] y = targets(Output.SOFTMAX, 9, 3);
    for (int j = 0; j < 6; j++) {
      for (int k = 0; k < 4; k++) {
        for (double factor : new double[] {1 + 1e-3, Double.NaN}) {
          Gradients gradients = reference.backpropagate(x, y);
          gradients.weights()[0][j][k] *= factor;
          LayerResult result = GradientCheck.check(reference, x, y, gradients, Options.ALL).get(0);
          assertFalse(result.passed(), result::toString);
          String where = "weight[" + j + "][" + k + "]";
          assertTrue(result.where().startsWith(where), result::where);
        }
      }
    }
  }

  /** One unit with a bias of 0 and inputs of 0: its bias sits at the kink, its weights do not. */
  @ParameterizedTest
  @EnumSource(
      value = Activation.class,
      names = {"RELU", "LEAKY_RELU"})
  void kinksAreCountedAndNotCompared(Activation f) {
    Network network = new Network(2, List.of(2), f, 1, Output.LINEAR);
    ReferenceNetwork reference =
        new ReferenceNetwork(
            network,
            new double[][][] {{{1, 1}, {0.5, -0.5}}, {{1, 1}}},
            new double[][] {{0, 0.7}, {0.1}});
    double[][] x = {{0, 0}, {1, 2}};
    double[][] y = {{1}, {-1}};
    List<LayerResult> results = GradientCheck.check(reference, x, y, Options.ALL);
    assertEquals(1, results.get(0).kinks());
    assertEquals(5, results.get(0).checked());
    assertEquals(0, results.get(1).kinks());
    assertTrue(results.get(0).passed() && results.get(1).passed(), results::toString);
  }

  /** A kink nearby makes the step shorter, not the result wrong. */
  @Test
  void aKinkNearbyIsAvoided() {
    Network network = new Network(1, List.of(1), Activation.RELU, 1, Output.LINEAR);
    double[][] x = {{1}};
    double[][] y = {{3}};
    for (double z : new double[] {1e-3, -1e-3, 1e-4, -1e-4, 1e-5, -1e-5}) {
      ReferenceNetwork reference =
          new ReferenceNetwork(
              network, new double[][][] {{{z}}, {{2}}}, new double[][] {{0}, {0.5}});
      for (LayerResult result : GradientCheck.check(reference, x, y, Options.ALL)) {
        assertEquals(0, result.kinks(), result::toString);
        assertTrue(result.passed(), result::toString);
      }
    }
  }

  @Test
  void aDeadNetworkHasGradientsOfZero() {
    ReferenceNetwork reference = network(3, List.of(4, 4), Activation.RELU, 1, Output.SIGMOID);
    Arrays.fill(reference.biases(0), -1e3);
    for (LayerResult result :
        GradientCheck.check(
            reference, gaussian(5, 3, 1, 0), targets(Output.SIGMOID, 5, 1), Options.ALL)) {
      assertTrue(result.passed(), result::toString);
    }
  }

  @Test
  void saturatedOutputsPass() {
    for (Output output : Output.values()) {
      ReferenceNetwork reference = network(3, List.of(4), Activation.TANH, 3, output);
      for (double[] row : reference.weights(1)) {
        for (int k = 0; k < row.length; k++) {
          row[k] *= 1e3;
        }
      }
      for (LayerResult result :
          GradientCheck.check(
              reference, gaussian(5, 3, 1, 0), targets(output, 5, 3), Options.ALL)) {
        assertTrue(result.passed(), output + ": " + result);
      }
    }
  }

  @Test
  void samplesAreDrawnWithoutRepetition() {
    ReferenceNetwork reference = network(30, List.of(64, 32), Activation.RELU, 1, Output.SIGMOID);
    double[][] x = gaussian(569, 30, 1, 0);
    double[][] y = targets(Output.SIGMOID, 569, 1);
    List<LayerResult> results = GradientCheck.check(reference, x, y, new Options(300, 0, 1));
    for (LayerResult result : results) {
      assertTrue(result.passed(), result::toString);
      assertEquals(Math.min(300, result.parameters()), result.checked() + result.kinks());
      assertEquals(0, result.kinks(), result::toString);
    }
    assertEquals("64 x 30", results.get(0).shape());
    assertEquals(
        GradientCheck.check(reference, x, y, new Options(20, 9, 1)),
        GradientCheck.check(reference, x, y, new Options(20, 9, 1)));
    assertEquals(
        GradientCheck.check(reference, some(x), some(y), Options.ALL),
        GradientCheck.check(reference, x, y, new Options(0, 7, 1)));
  }

  private static double[][] some(double[][] rows) {
    return Arrays.copyOf(rows, 7);
  }

  @Test
  void tinyGradientsAreMeasuredOnTheirLayersScale() {
    assertEquals(0, GradientCheck.relativeError(0, 0, 0));
    assertEquals(0.5, GradientCheck.relativeError(1, 2, 0));
    assertEquals(0.5, GradientCheck.relativeError(2, 1, 1));
    assertEquals(0.01, GradientCheck.relativeError(2, 1, 100));
    assertEquals(2, GradientCheck.relativeError(1, -1, 0.1));
    assertTrue(Double.isNaN(GradientCheck.relativeError(Double.NaN, 1, 1)));
    assertFalse(new LayerResult(0, "1 x 1", 2, 2, 0, Double.NaN, "").passed());
    assertFalse(new LayerResult(0, "1 x 1", 2, 0, 2, 0, "").passed());
    assertTrue(new LayerResult(0, "1 x 1", 2, 2, 0, Tolerance.GRADIENT_CHECK, "").passed());
  }

  @Test
  void whatCannotBeCheckedIsRefused() {
    ReferenceNetwork reference = network(2, List.of(), Activation.RELU, 1, Output.LINEAR);
    double[][] none = new double[0][];
    double[][] one = {{1, 1}};
    double[][] nan = {{Double.NaN, 1}};
    double[][] y = {{1}};
    assertRefused("needs samples", () -> GradientCheck.check(reference, none, none, Options.ALL));
    assertRefused("got 1 and 0", () -> GradientCheck.check(reference, one, none, Options.ALL));
    assertRefused("NaN", () -> GradientCheck.check(reference, nan, y, Options.ALL));
    assertRefused("at least 0", () -> new Options(-1, 0, 0));
    Gradients gradients =
        reference.backpropagate(new double[][] {{1, 1}, {2, 2}}, new double[][] {{1}, {2}});
    assertRefused(
        "2 samples",
        () ->
            GradientCheck.check(
                reference,
                new double[][] {{1, 1}, {2, 2}},
                new double[][] {{1}, {2}},
                gradients,
                new Options(0, 1, 0)));
  }

  private static void assertRefused(String reason, Runnable call) {
    String message = assertThrows(IllegalArgumentException.class, call::run).getMessage();
    assertTrue(message.contains(reason), message);
  }
}
