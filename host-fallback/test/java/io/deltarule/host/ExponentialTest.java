package io.deltarule.host;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Random;
import org.junit.jupiter.api.Test;

class ExponentialTest {
  private static final double RELATIVE = 1.5e-12;

  @Test
  void agreesWithMath() {
    Random random = new Random(1);
    for (int i = 0; i < 100_000; i++) {
      double x = random.nextGaussian() * Math.exp(4 * random.nextGaussian() - 3);
      if (Math.abs(x) < 700) {
        assertClose(Math.exp(x), Exponential.exp(x), x);
        assertClose(Math.expm1(x), Exponential.expm1(x), x);
      }
      double share = random.nextDouble() * Math.pow(2, -random.nextInt(60));
      assertClose(Math.log1p(share), Exponential.log1p(share), share);
    }
  }

  @Test
  void isDefinedEverywhere() {
    assertEquals(1, Exponential.exp(0));
    assertEquals(0, Exponential.expm1(0));
    assertEquals(0, Exponential.log1p(0));
    assertClose(Math.log(2), Exponential.log1p(1), 1);
    assertEquals(Double.POSITIVE_INFINITY, Exponential.exp(Double.POSITIVE_INFINITY));
    assertClose(Math.exp(-700), Exponential.exp(Double.NEGATIVE_INFINITY), -700);
    assertEquals(-1, Exponential.expm1(Double.NEGATIVE_INFINITY));
    assertClose(Math.exp(700), Exponential.expm1(Double.POSITIVE_INFINITY), 700);
    assertEquals(Double.NaN, Exponential.exp(Double.NaN));
    assertEquals(Double.NaN, Exponential.expm1(Double.NaN));
    assertEquals(Double.NaN, Exponential.log1p(Double.NaN));
  }

  private static void assertClose(double expected, double actual, double x) {
    assertEquals(expected, actual, RELATIVE * Math.abs(expected), () -> "x = " + x);
  }
}
