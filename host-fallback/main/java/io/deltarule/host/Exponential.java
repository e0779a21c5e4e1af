package io.deltarule.host;

/**
 * {@code e^x} and its like in double precision to about 1e-13, which is plenty for results in
 * float, several times faster than those of {@link Math}, and with the same bits on every machine.
 */
final class Exponential {
  private static final double LOG2_E = 0x1.71547652b82fep0;
  private static final double LN2_HIGH = 0x1.62e42fefa39efp-1;

  /** Added and subtracted, it rounds to an integer, which is left in the lowest bits. */
  private static final double ROUND = 0x1.8p52;

  private Exponential() {}

  /**
   * {@code e^x - 1} without cancellation around 0.
   *
   * @param x any number; beyond +-700 the result is that of +-700
   * @return NaN if x is
   */
  static double expm1(double x) {
    double clamped = Math.max(-700, Math.min(700, x));
    double rounded = Math.fma(clamped, LOG2_E, ROUND);
    // x = k ln 2 + r with |r| <= ln(2) / 2
    double r = Math.fma(rounded - ROUND, -LN2_HIGH, clamped);
    double scale = Double.longBitsToDouble((Double.doubleToRawLongBits(rounded) + 1023) << 52);
    // Taylor's series; its next term is 2e-14 at the ends.
    double p = 1.0 / 3628800;
    p = Math.fma(p, r, 1.0 / 362880);
    p = Math.fma(p, r, 1.0 / 40320);
    p = Math.fma(p, r, 1.0 / 5040);
    p = Math.fma(p, r, 1.0 / 720);
    p = Math.fma(p, r, 1.0 / 120);
    p = Math.fma(p, r, 1.0 / 24);
    p = Math.fma(p, r, 1.0 / 6);
    p = Math.fma(p, r, 0.5);
    p = Math.fma(p * r, r, r);
    return Math.fma(scale, p, scale - 1);
  }

  /**
   * {@code e^x}.
   *
   * @param x any number; below -700 the result is that of -700, above 709.4 it is infinite
   * @return NaN if x is
   */
  static double exp(double x) {
    double clamped = Math.max(-700, Math.min(710, x));
    double rounded = Math.fma(clamped, LOG2_E, ROUND);
    double r = Math.fma(rounded - ROUND, -LN2_HIGH, clamped);
    double scale = Double.longBitsToDouble((Double.doubleToRawLongBits(rounded) + 1023) << 52);
    double p = 1.0 / 3628800;
    p = Math.fma(p, r, 1.0 / 362880);
    p = Math.fma(p, r, 1.0 / 40320);
    p = Math.fma(p, r, 1.0 / 5040);
    p = Math.fma(p, r, 1.0 / 720);
    p = Math.fma(p, r, 1.0 / 120);
    p = Math.fma(p, r, 1.0 / 24);
    p = Math.fma(p, r, 1.0 / 6);
    p = Math.fma(p, r, 0.5);
    p = Math.fma(p, r, 1);
    p = Math.fma(p, r, 1);
    return scale * p;
  }

  /**
   * {@code ln(1 + x)}.
   *
   * @param x from 0 to 1
   * @return NaN if x is
   */
  static double log1p(double x) {
    // 2 artanh(s) with s at most 1/3; the series' next term is 1e-15 there.
    double s = x / (2 + x);
    double q = s * s;
    double p = 1.0 / 27;
    p = Math.fma(p, q, 1.0 / 25);
    p = Math.fma(p, q, 1.0 / 23);
    p = Math.fma(p, q, 1.0 / 21);
    p = Math.fma(p, q, 1.0 / 19);
    p = Math.fma(p, q, 1.0 / 17);
    p = Math.fma(p, q, 1.0 / 15);
    p = Math.fma(p, q, 1.0 / 13);
    p = Math.fma(p, q, 1.0 / 11);
    p = Math.fma(p, q, 1.0 / 9);
    p = Math.fma(p, q, 1.0 / 7);
    p = Math.fma(p, q, 1.0 / 5);
    p = Math.fma(p, q, 1.0 / 3);
    return 2 * Math.fma(s * q, p, s);
  }
}
