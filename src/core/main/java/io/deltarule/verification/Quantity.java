package io.deltarule.verification;

import java.util.Locale;

/**
 * One matrix of a step, as an engine computed it and as it should be.
 *
 * @param name such as {@code A}, {@code D}, {@code dW}, {@code db}, or {@code W} and {@code b}
 *     after the steps
 * @param layer from 0
 * @param rows of the matrix
 * @param columns of the matrix
 * @param values the engine's, row-major
 * @param expected the reference's, row-major
 * @param tolerance that each value may differ by
 */
public record Quantity(
    String name,
    int layer,
    int rows,
    int columns,
    float[] values,
    double[] expected,
    double tolerance) {

  /**
   * What the quantity is, for messages.
   *
   * @return such as {@code dW of layer 1}
   */
  public String title() {
    return name + " of layer " + layer;
  }

  /**
   * The largest difference from the reference.
   *
   * @return NaN if one value is NaN
   */
  public double error() {
    double largest = 0;
    for (int i = 0; i < values.length; i++) {
      double difference = Math.abs(values[i] - expected[i]);
      largest = difference > largest || Double.isNaN(difference) ? difference : largest;
      if (Double.isNaN(largest)) {
        return largest;
      }
    }
    return largest;
  }

  /**
   * The largest difference from another engine's values.
   *
   * @param other the same quantity of another engine
   * @return NaN if one value is NaN
   */
  public double difference(Quantity other) {
    double largest = 0;
    for (int i = 0; i < values.length; i++) {
      double difference = Math.abs((double) values[i] - other.values[i]);
      if (Double.isNaN(difference)) {
        return difference;
      }
      largest = Math.max(largest, difference);
    }
    return largest;
  }

  /**
   * The largest absolute value of the reference, on which differences are small or large.
   *
   * @return 0 for an empty matrix
   */
  public double scale() {
    double largest = 0;
    for (double value : expected) {
      largest = Math.max(largest, Math.abs(value));
    }
    return largest;
  }

  /**
   * Whether all values are within the tolerance of the reference; NaN never is.
   *
   * @return whether the quantity passes
   */
  public boolean passed() {
    return error() <= tolerance;
  }

  @Override
  public String toString() {
    return String.format(
        Locale.ROOT, "%s: error %.2e, tolerance %.2e", title(), error(), tolerance);
  }
}
