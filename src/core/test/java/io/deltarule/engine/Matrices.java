package io.deltarule.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;

import io.deltarule.random.Philox;
import io.deltarule.reference.ReferenceNetwork;
import java.util.Arrays;
import java.util.function.DoubleUnaryOperator;
import java.util.stream.DoubleStream;

/** Random matrices, and comparisons with the reference whose failures say how to repeat them. */
final class Matrices {

  /** The seed of all random data: the system property deltarule.test.seed, or a fixed one. */
  static final long SEED = Long.getLong("deltarule.test.seed", 0xDE17A);

  /** Where GELU, the one activation that is not monotone, has its minimum. */
  private static final double GELU_TURNS = -0.7524614;

  private final Philox random;

  /** A stream of numbers of its own for each context, such as a shape. */
  Matrices(Object... context) {
    random = new Philox(SEED, Philox.Purpose.DATA, Arrays.deepToString(context).hashCode());
  }

  float[] gaussian(int size, double deviation) {
    float[] values = new float[size];
    for (int i = 0; i < size; i++) {
      values[i] = (float) (deviation * random.nextGaussian());
    }
    return values;
  }

  float[] matrix(int rows, int columns) {
    return gaussian(rows * columns, 1);
  }

  /** Targets: 0 or 1, one-hot rows, or anything. */
  float[] targets(Output output, int rows, int columns) {
    float[] y = new float[rows * columns];
    for (int i = 0; i < rows; i++) {
      int hot = random.nextInt(columns);
      for (int j = 0; j < columns; j++) {
        y[i * columns + j] =
            switch (output) {
              case SIGMOID -> random.nextInt(2);
              case SOFTMAX -> j == hot ? 1 : 0;
              case LINEAR -> (float) random.nextGaussian();
            };
      }
    }
    return y;
  }

  int[] rows(int size, int bound) {
    int[] rows = new int[size];
    for (int i = 0; i < size; i++) {
      rows[i] = random.nextInt(bound);
    }
    return rows;
  }

  /** The root mean square of the finite values; 1 for none. */
  static double size(float[] values) {
    double mean = finite(values).map(v -> v * v).average().orElse(1);
    return Math.sqrt(mean);
  }

  static double largest(float[] values) {
    return finite(values).map(Math::abs).max().orElse(0);
  }

  static double largest(double[][] rows) {
    return Arrays.stream(rows)
        .flatMapToDouble(Arrays::stream)
        .filter(Double::isFinite)
        .map(Math::abs)
        .max()
        .orElse(0);
  }

  private static DoubleStream finite(float[] values) {
    DoubleStream.Builder stream = DoubleStream.builder();
    for (float value : values) {
      if (Float.isFinite(value)) {
        stream.add(value);
      }
    }
    return stream.build();
  }

  static double[][] rows(float[] values, int rows, int columns) {
    return ReferenceNetwork.rows(values, rows, columns);
  }

  static void assertClose(String what, Tolerance tolerance, double[][] expected, float[] actual) {
    assertThrough(what, v -> v, Tolerance.EXACT, tolerance, expected, actual);
  }

  /**
   * Compares f(z), where z may be off by a tolerance already: the result must be within the
   * function's own tolerance of what f gives between z - t and z + t. So a saturated f stays
   * strictly checked however large z is.
   */
  static void assertThrough(
      String what,
      DoubleUnaryOperator f,
      Tolerance argument,
      Tolerance function,
      double[][] z,
      float[] actual) {
    int at = 0;
    for (int i = 0; i < z.length; i++) {
      for (int j = 0; j < z[i].length; j++, at++) {
        double t = argument.absolute() + argument.relative() * Math.abs(z[i][j]);
        double exact = rounded(f.applyAsDouble(z[i][j]));
        double low = exact;
        double high = exact;
        if (t > 0 && Double.isFinite(z[i][j])) {
          double before = rounded(f.applyAsDouble(z[i][j] - t));
          double after = rounded(f.applyAsDouble(z[i][j] + t));
          double turned =
              rounded(f.applyAsDouble(Math.max(z[i][j] - t, Math.min(GELU_TURNS, z[i][j] + t))));
          low = Math.min(Math.min(exact, turned), Math.min(before, after));
          high = Math.max(exact, Math.max(before, after));
        }
        double nearest = Math.max(low, Math.min(actual[at], high));
        boolean close =
            exact != exact ? actual[at] != actual[at] : function.accepts(actual[at], nearest);
        if (!close) {
          fail(
              "%s [%d][%d]: expected %.9g, got %.9g, off by %.3g with %s before and %s; %s"
                  .formatted(
                      what,
                      i,
                      j,
                      exact,
                      (double) actual[at],
                      Math.abs(actual[at] - exact),
                      argument,
                      function,
                      repeat()));
        }
      }
    }
    assertEquals(at, actual.length, what);
  }

  /** As a float would hold it: infinite beyond the range. */
  private static double rounded(double value) {
    return Math.abs(value) > Float.MAX_VALUE
        ? Math.copySign(Double.POSITIVE_INFINITY, value)
        : value;
  }

  /** All NaN are one here. */
  static void assertSame(String what, float[] expected, float[] actual) {
    assertEquals(expected.length, actual.length, what);
    for (int i = 0; i < expected.length; i++) {
      if (Float.floatToIntBits(expected[i]) != Float.floatToIntBits(actual[i])) {
        fail(
            "%s [%d]: expected %s, got %s; %s"
                .formatted(what, i, expected[i], actual[i], repeat()));
      }
    }
  }

  static String repeat() {
    return "repeat with -Ddeltarule.test.seed=" + SEED;
  }
}
