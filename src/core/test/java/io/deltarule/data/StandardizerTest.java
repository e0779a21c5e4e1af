package io.deltarule.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class StandardizerTest {
  private static int[] rows(int count) {
    return IntStream.range(0, count).toArray();
  }

  /** Mean and deviation without any rounding before the root. */
  private static double[] reference(float[] values) {
    BigDecimal count = BigDecimal.valueOf(values.length);
    BigDecimal sum = BigDecimal.ZERO;
    BigDecimal squares = BigDecimal.ZERO;
    for (float value : values) {
      BigDecimal exact = new BigDecimal(value);
      sum = sum.add(exact);
      squares = squares.add(exact.multiply(exact));
    }
    BigDecimal mean = sum.divide(count, new MathContext(60));
    BigDecimal variance = squares.divide(count, new MathContext(60)).subtract(mean.multiply(mean));
    return new double[] {mean.doubleValue(), Math.sqrt(variance.doubleValue())};
  }

  @ParameterizedTest
  @CsvSource({"0,1", "1e6,1", "1e6,1e-1", "1e4,1e-3", "-3e38,1e34", "1e-30,1e-36", "0,1e-40"})
  void matchesTheExactNumbersOfIllConditionedColumns(double center, double scale) {
    Random random = new Random(3);
    float[] values = new float[5000];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (center + scale * random.nextGaussian());
    }
    double[] expected = reference(values);
    Standardizer learned = Standardizer.learn(values, 1, rows(values.length), Normalization.COLUMN);
    assertEquals((float) expected[0], learned.mean()[0]);
    assertEquals(expected[1], learned.deviation()[0], 1e-6 * expected[1] + Float.MIN_VALUE);
    float[] applied = learned.apply(values);
    // The mean is rounded to float, as the values are: it is off by at most half a step of theirs.
    double tolerance = 1e-5 + Math.ulp((float) expected[0]) / expected[1];
    for (int i = 0; i < values.length; i++) {
      assertEquals(
          (values[i] - expected[0]) / expected[1],
          applied[i],
          tolerance * (1 + Math.abs(applied[i])));
    }
  }

  @Test
  void aMeanFarAboveTheDeviationWorks() {
    // In float 1e6 and 1e6 + 1/16 are neighbours; a deviation of 1e-3 makes one value stand out.
    float[] values = new float[4000];
    Arrays.fill(values, 1e6f);
    values[7] = 1e6f + 0.0625f;
    Standardizer learned = Standardizer.learn(values, 1, rows(4000), Normalization.COLUMN);
    assertEquals(reference(values)[1], learned.deviation()[0], 1e-9);
    float[] applied = learned.apply(values);
    assertEquals(0, applied[0]);
    assertEquals(0.0625 / learned.deviation()[0], applied[7], 1e-3);
  }

  @Test
  void learnsFromTheGivenRowsOnly() {
    float[] features = {1, 10, 3, 10, 1000, 7};
    Standardizer learned = Standardizer.learn(features, 2, new int[] {0, 1}, Normalization.COLUMN);
    assertArrayEquals(new float[] {2, 10}, learned.mean());
    assertArrayEquals(new float[] {1, 1}, learned.deviation()); // the second column is constant
    assertArrayEquals(new float[] {-1, 0, 1, 0, 998, -3}, learned.apply(features));
    assertEquals(1, features[0]);
    learned.applyInPlace(features);
    assertEquals(-1, features[0]);
  }

  @Test
  void globalIsOneForAll() {
    Standardizer learned =
        Standardizer.learn(new float[] {1, 3, 5, 7}, 2, rows(2), Normalization.GLOBAL);
    assertArrayEquals(new float[] {4, 4}, learned.mean());
    assertEquals(Math.sqrt(5), learned.deviation()[1], 1e-6);
  }

  @Test
  void noneChangesNothing() {
    float[] features = {1e-45f, -0f, 3e38f};
    Standardizer learned = Standardizer.learn(features, 3, rows(1), Normalization.NONE);
    assertArrayEquals(features, learned.apply(features));
  }

  @Test
  void constantColumnsBecomeZero() {
    float[] features = new float[999];
    Arrays.fill(features, 0.1f);
    Standardizer learned = Standardizer.learn(features, 1, rows(999), Normalization.COLUMN);
    assertArrayEquals(new float[999], learned.apply(features));
  }

  @Test
  void mistakesAreNamed() {
    assertThrows(
        IllegalArgumentException.class,
        () -> Standardizer.learn(new float[2], 1, new int[0], Normalization.COLUMN));
    Standardizer two = new Standardizer(Normalization.COLUMN, new float[2], new float[] {1, 1});
    assertEquals(
        "3 features for 2 columns",
        assertThrows(IllegalArgumentException.class, () -> two.apply(new float[3])).getMessage());
    assertEquals(
        "column 1: mean 0.0, deviation 0.0",
        assertThrows(
                IllegalArgumentException.class,
                () -> new Standardizer(Normalization.COLUMN, new float[2], new float[] {1, 0}))
            .getMessage());
    assertEquals(Normalization.GLOBAL, Normalization.of("global"));
    assertTrue(
        assertThrows(IllegalArgumentException.class, () -> Normalization.of("x"))
            .getMessage()
            .endsWith("one of column, global, none"));
  }
}
