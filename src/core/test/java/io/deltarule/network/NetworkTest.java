package io.deltarule.network;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Output;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class NetworkTest {

  @Test
  void layersAndSizes() {
    Network network = new Network(30, List.of(64, 32), Activation.RELU, 1, Output.SIGMOID);
    assertEquals(3, network.layers());
    assertEquals(30, network.inputs(0));
    assertEquals(64, network.units(0));
    assertEquals(64, network.inputs(1));
    assertEquals(32, network.units(1));
    assertEquals(32, network.inputs(2));
    assertEquals(1, network.units(2));
    assertEquals(64 * 31 + 32 * 65 + 33, network.parameters());
    assertEquals("30-64-32-1", network.stack());
    assertEquals("30-64-32-1 relu sigmoid", network.toString());
    Network linear = new Network(5, List.of(), Activation.RELU, 2, Output.SOFTMAX);
    assertEquals("5-2", linear.stack());
    assertEquals(1, linear.layers());
    assertEquals(12, linear.parameters());
  }

  @Test
  void isImmutable() {
    List<Integer> hidden = new ArrayList<>(List.of(3));
    Network network = new Network(2, hidden, Activation.TANH, 1, Output.LINEAR);
    hidden.set(0, 9);
    assertEquals(3, network.units(0));
    assertThrows(UnsupportedOperationException.class, () -> network.hidden().add(1));
  }

  @Test
  void refusesWhatIsNoNetwork() {
    assertRefused("inputs must be at least 1, not 0", 0, List.of(), 1, Output.SIGMOID);
    assertRefused("hidden layer must be at least 1, not 0", 1, List.of(3, 0), 1, Output.SIGMOID);
    assertRefused("outputs must be at least 1, not -1", 1, List.of(), -1, Output.SIGMOID);
    assertRefused("use sigmoid", 1, List.of(), 1, Output.SOFTMAX);
    assertRefused("100000 inputs and 100000 units", 1, List.of(100_000, 100_000), 1, Output.LINEAR);
  }

  private static void assertRefused(
      String reason, int inputs, List<Integer> hidden, int outputs, Output output) {
    String message =
        assertThrows(
                IllegalArgumentException.class,
                () -> new Network(inputs, hidden, Activation.RELU, outputs, output))
            .getMessage();
    assertTrue(message.contains(reason), message);
  }
}
