package io.deltarule.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.deltarule.engine.spi.Operand;
import io.deltarule.network.Network;
import io.deltarule.network.Parameters;
import io.deltarule.random.Philox;
import io.deltarule.training.Samples;
import io.deltarule.verification.Quantity;
import io.deltarule.verification.Verification;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Verification passes a sound engine, and names where a broken one goes wrong. */
class VerificationTest {

  private static List<Quantity> verify(Engine engine, Activation activation, Output output) {
    Network network = new Network(7, List.of(9, 6), activation, 3, output);
    Philox random = new Philox(1, Philox.Purpose.DATA, 0);
    float[] features = new float[20 * 7];
    float[] targets = new float[20 * 3];
    for (int i = 0; i < features.length; i++) {
      features[i] = (float) random.nextGaussian();
    }
    for (int i = 0; i < 20; i++) {
      targets[i * 3 + random.nextInt(3)] = 1;
    }
    Samples batch = new Samples(20, 7, features, 3, targets);
    try (engine) {
      return Verification.run(engine, Parameters.initialise(network, 1), batch, 0.1, 5)
          .quantities();
    }
  }

  /** What the first quantity outside its tolerance is; empty if all are within. */
  private static String firstOff(Engine engine) {
    return verify(engine, Activation.RELU, Output.SIGMOID).stream()
        .filter(quantity -> !quantity.passed())
        .map(Quantity::title)
        .findFirst()
        .orElse("");
  }

  @ParameterizedTest
  @EnumSource
  void aSoundEnginePasses(Activation activation) {
    for (Output output : Output.values()) {
      for (Quantity quantity : verify(new ReferenceEngine(), activation, output)) {
        assertTrue(quantity.passed(), output + ": " + quantity);
      }
    }
  }

  @Test
  void aWrongActivationIsFoundInItsLayer() {
    Engine broken =
        new ReferenceEngine() {
          @Override
          protected void launchForward(
              Operand<Memory> x,
              Operand<Memory> w,
              Operand<Memory> b,
              Activation f,
              Operand<Memory> saved,
              Operand<Memory> a) {
            // Only the second hidden layer, of 6 units, leaks.
            Activation wrong = a.columns() == 6 ? Activation.LEAKY_RELU : f;
            super.launchForward(x, w, b, wrong, saved, a);
          }
        };
    assertEquals("A of layer 1", firstOff(broken));
  }

  @Test
  void aMissingMaskIsFoundInTheErrorSignal() {
    Engine broken =
        new ReferenceEngine() {
          @Override
          protected void launchPropagate(
              Operand<Memory> d,
              Operand<Memory> w,
              Activation f,
              Operand<Memory> saved,
              Operand<Memory> e) {
            super.launchPropagate(d, w, Activation.IDENTITY, saved, e);
          }
        };
    assertEquals("D of layer 1", firstOff(broken));
  }

  @Test
  void aSkippedUpdateIsFoundInTheParameters() {
    Engine broken =
        new ReferenceEngine() {
          @Override
          protected void launchUpdate(
              UpdateRule rule,
              Operand<Memory> theta,
              Operand<Memory> gradient,
              Operand<Memory> state,
              Operand<Memory> schedule,
              io.deltarule.engine.spi.StepCursor<Memory> at) {}
        };
    // The gradients of the first step are right; only what follows from the update is not.
    assertEquals("W of layer 0", firstOff(broken));
  }

  @Test
  void nanNeverPasses() {
    Quantity quantity =
        new Quantity("A", 0, 1, 1, new float[] {Float.NaN}, new double[] {Double.NaN}, 1);
    assertTrue(!quantity.passed());
  }
}
