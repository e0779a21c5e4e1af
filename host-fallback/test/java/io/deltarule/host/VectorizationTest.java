package io.deltarule.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.deltarule.engine.Engine;
import org.junit.jupiter.api.Test;

/**
 * Each run of the suite tests the kernels that it says it does: the system property {@code
 * deltarule.test.vectors} is {@code widest}, a width such as {@code 256-bit}, or {@code none}.
 */
class VectorizationTest {
  private final String expected = System.getProperty("deltarule.test.vectors");

  @Test
  void isWhatThisRunIsFor() {
    assertNotNull(expected, "deltarule.test.vectors");
    String pattern =
        switch (expected) {
          case "widest" -> "\\d+-bit vectors";
          case "none" -> "no vectors";
          default -> expected + " vectors";
        };
    try (Engine engine = HostEngines.open(1)) {
      String device = engine.description().device();
      assertTrue(device.matches("1 thread, Java \\S+, " + pattern), device);
    }
  }

  @Test
  void saysHowToBeFaster() {
    String detail = new HostEngineProvider().probe().detail();
    boolean none = expected.equals("none");
    assertEquals(none, detail.contains("--add-modules jdk.incubator.vector"), detail);
    boolean old = Runtime.version().feature() < 25;
    assertEquals(!none && old, detail.contains("Java 25 or newer"), detail);
  }
}
