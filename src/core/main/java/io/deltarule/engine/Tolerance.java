package io.deltarule.engine;

/**
 * How far a result may lie from its double-precision reference: {@code |actual - expected| <=
 * absolute + relative |expected|}. The tolerances of all contract suites are made here; {@link
 * io.deltarule.verification.Verification} follows the errors of its own run from layer to layer.
 *
 * @param absolute in units of the result
 * @param relative a fraction of the reference
 */
public record Tolerance(double absolute, double relative) {

  /**
   * Relative error of {@code exp}, {@code tanh}, {@code log1p} and division on any device, in fp32.
   */
  private static final double FUNCTION = 16 * 0x1p-24;

  /** Identical values, as for a copy. */
  public static final Tolerance EXACT = new Tolerance(0, 0);

  /**
   * What a device may lose that flushes numbers below the smallest normal float to zero: to be
   * multiplied by how often a result depends on such a number, and by how strongly.
   */
  public static final Tolerance UNDERFLOW = new Tolerance(Float.MIN_NORMAL, 0);

  /** The relative error that a finite-difference gradient check accepts in double precision. */
  public static final double GRADIENT_CHECK = 1e-6;

  /**
   * For a sum of products in 32-bit floats, in any order. The rounding errors of a sum of n terms
   * grow like n times the size of a term where the terms cancel, and like sqrt(n) relative to the
   * sum where they do not (Higham, "Accuracy and stability of numerical algorithms", 4.2).
   *
   * @param precision of the factors
   * @param terms the length of the sum
   * @param scale the typical size of one product (its root mean square)
   * @return the tolerance
   */
  public static Tolerance sum(Precision precision, long terms, double scale) {
    double sums = 2 * (terms + 8) * Precision.FP32.roundoff();
    double factors = precision == Precision.FP32 ? 0 : 8 * Math.sqrt(terms) * precision.roundoff();
    return new Tolerance(
        scale * (sums + factors),
        2 * (Math.sqrt(terms) + 8) * Precision.FP32.roundoff() + 4 * precision.roundoff());
  }

  /**
   * For a function of one element: an activation, a link, an update.
   *
   * @param scale the size of the intermediate results
   * @return the tolerance
   */
  public static Tolerance function(double scale) {
    return new Tolerance(scale * FUNCTION, FUNCTION);
  }

  /**
   * For the losses of two trainings on the same data that round differently. The difference of the
   * parameters starts at their rounding and is carried from step to step; Adam divides by the size
   * of the gradient, so that small gradients contribute as much as large ones.
   *
   * @param steps done so far
   * @return the tolerance
   */
  public static Tolerance training(long steps) {
    double growth = 2 * Precision.FP32.roundoff() * steps;
    return new Tolerance(growth, growth);
  }

  /**
   * This tolerance, after a function whose derivative is at most about 1.
   *
   * @param other of the function
   * @return the sum of both
   */
  public Tolerance and(Tolerance other) {
    return new Tolerance(absolute + other.absolute, relative + other.relative);
  }

  /**
   * For numbers after several steps, whose errors add up.
   *
   * @param factor at least 1
   * @return a tolerance that many times as wide
   */
  public Tolerance times(double factor) {
    return new Tolerance(absolute * factor, relative * factor);
  }

  /**
   * Whether a result is near enough. NaN never is; an infinity is if the reference is the same one.
   *
   * @param actual the result
   * @param expected the reference
   * @return whether it passes
   */
  public boolean accepts(double actual, double expected) {
    if (Double.isInfinite(expected) || Double.isInfinite(actual)) {
      return actual == expected;
    }
    return Math.abs(actual - expected) <= absolute + relative * Math.abs(expected);
  }
}
