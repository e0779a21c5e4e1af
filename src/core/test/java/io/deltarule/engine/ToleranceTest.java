package io.deltarule.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.deltarule.random.Philox;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The tolerances are wide enough for every order of summation, and no wider. */
class ToleranceTest {
  private static final int TRIALS = 400;

  @Test
  void nanNeverPassesAndInfinityOnlyAsItself() {
    Tolerance wide = new Tolerance(1e300, 1);
    assertFalse(wide.accepts(Double.NaN, 1));
    assertFalse(wide.accepts(1, Double.NaN));
    assertFalse(wide.accepts(Double.NaN, Double.NaN));
    assertFalse(wide.accepts(Double.POSITIVE_INFINITY, 1));
    assertFalse(wide.accepts(1, Double.NEGATIVE_INFINITY));
    assertFalse(wide.accepts(Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY));
    assertTrue(Tolerance.EXACT.accepts(Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY));
  }

  @Test
  void boundsAreInclusiveAndAddUp() {
    Tolerance tolerance = new Tolerance(0.5, 0.25);
    assertTrue(tolerance.accepts(5.5, 4));
    assertTrue(tolerance.accepts(2.5, 4));
    assertFalse(tolerance.accepts(Math.nextUp(5.5), 4));
    assertTrue(tolerance.accepts(-5.5, -4));
    assertEquals(new Tolerance(1.5, 0.5), tolerance.and(new Tolerance(1, 0.25)));
    assertEquals(new Tolerance(1, 0.5), tolerance.times(2));
    assertTrue(Tolerance.EXACT.accepts(0.0, -0.0));
    assertFalse(Tolerance.EXACT.accepts(Float.MIN_VALUE, 0));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 7, 16, 33, 64, 129, 257, 1025, 4097})
  void sumsOfFloatsPassInAnyOrderAndWrongOnesDoNot(int terms) {
    int dropped = 0;
    int truncated = 0;
    int tf32 = 0;
    int bf16 = 0;
    int bf16AsTf32 = 0;
    Philox random = new Philox(Matrices.SEED, Philox.Purpose.DATA, terms);
    for (int trial = 0; trial < TRIALS; trial++) {
      float[] x = new float[terms];
      float[] w = new float[terms];
      double exact = 0;
      for (int i = 0; i < terms; i++) {
        x[i] = (float) random.nextGaussian();
        w[i] = (float) random.nextGaussian();
        exact += (double) x[i] * w[i];
      }
      Tolerance tolerance = Tolerance.sum(Precision.FP32, terms, 1);
      float forwards = 0;
      float backwards = 0;
      float fused = 0;
      float rounded11 = 0;
      float rounded8 = 0;
      float withoutOne = 0;
      float towardsZero = 0;
      int missing = random.nextInt(terms);
      for (int i = 0; i < terms; i++) {
        int j = terms - 1 - i;
        forwards += x[i] * w[i];
        backwards += x[j] * w[j];
        fused = Math.fma(x[i], w[i], fused);
        rounded11 += rounded(x[i], 11) * rounded(w[i], 11);
        rounded8 += rounded(x[i], 8) * rounded(w[i], 8);
        withoutOne += i == missing ? 0 : x[i] * w[i];
        towardsZero = truncated(towardsZero + (double) x[i] * w[i]);
      }
      String message = terms + " terms, " + Matrices.repeat();
      assertTrue(tolerance.accepts(forwards, exact), message);
      assertTrue(tolerance.accepts(backwards, exact), message);
      assertTrue(tolerance.accepts(fused, exact), message);
      assertTrue(tolerance.accepts(pairwise(x, w, 0, terms), exact), message);
      Tolerance tf32s = Tolerance.sum(Precision.TF32, terms, 1);
      assertTrue(tf32s.accepts(rounded11, exact), message);
      assertTrue(Tolerance.sum(Precision.BF16, terms, 1).accepts(rounded8, exact), message);
      dropped += tolerance.accepts(withoutOne, exact) ? 0 : 1;
      truncated += tolerance.accepts(towardsZero, exact) ? 0 : 1;
      tf32 += tolerance.accepts(rounded11, exact) ? 0 : 1;
      bf16 += tolerance.accepts(rounded8, exact) ? 0 : 1;
      bf16AsTf32 += tf32s.accepts(rounded8, exact) ? 0 : 1;
    }
    // Of a matrix of results, one is enough; nearly all of them are refused.
    assertTrue(dropped > 0.95 * TRIALS, dropped + " sums without a term were refused");
    assertTrue(tf32 > 0.9 * TRIALS, tf32 + " sums of tf32 factors were refused");
    assertTrue(bf16 > 0.9 * TRIALS, bf16 + " sums of bf16 factors were refused");
    assertTrue(bf16AsTf32 > 0, "no sum of bf16 factors was refused as tf32");
    if (terms > 128) {
      assertTrue(truncated > 0.1 * TRIALS, truncated + " sums rounded towards zero were refused");
    }
  }

  private static float pairwise(float[] x, float[] w, int from, int to) {
    if (to - from == 1) {
      return x[from] * w[from];
    }
    int middle = (from + to) >>> 1;
    return pairwise(x, w, from, middle) + pairwise(x, w, middle, to);
  }

  private static float rounded(float value, int bits) {
    int dropped = 24 - bits; // of the bits of a significand
    int bitsOfValue = Float.floatToIntBits(value) + (1 << (dropped - 1));
    return Float.intBitsToFloat(bitsOfValue & -(1 << dropped));
  }

  private static float truncated(double value) {
    float near = (float) value;
    if (Math.abs((double) near) <= Math.abs(value)) {
      return near;
    }
    return near > 0 ? Math.nextDown(near) : Math.nextUp(near);
  }
}
