package io.deltarule.host;

/**
 * {@code e^x} and its like in double precision to about 1e-12, which is plenty for results in
 * float, several times faster than those of {@link Math}, and with the same bits on every machine.
 */
final class Exponential {
  private static final double LOG2_E = 0x1.71547652b82fep0;
  private static final double LN2 = 0x1.62e42fefa39efp-1;

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
    double clamped = x < -700 ? -700 : x > 700 ? 700 : x; // NaN stays
    double rounded = Math.fma(clamped, LOG2_E, ROUND);
    double r = Math.fma(rounded - ROUND, -LN2, clamped); // x = k ln 2 + r
    double scale = power(rounded);
    return Math.fma(scale, Math.fma(series(r), r * r, r), scale - 1);
  }

  /**
   * {@code e^x}.
   *
   * @param x any number; below -700 the result is that of -700, above 709.4 it is infinite
   * @return NaN if x is
   */
  static double exp(double x) {
    double clamped = x < -700 ? -700 : x > 710 ? 710 : x; // NaN stays
    double rounded = Math.fma(clamped, LOG2_E, ROUND);
    double r = Math.fma(rounded - ROUND, -LN2, clamped); // x = k ln 2 + r
    return power(rounded) * Math.fma(series(r), r * r, 1 + r);
  }

  /** 2 to the power of the integer k, given {@code k + ROUND}. */
  private static double power(double rounded) {
    return Double.longBitsToDouble((Double.doubleToRawLongBits(rounded) + 1023) << 52);
  }

  /**
   * {@code (e^r - 1 - r) / r^2} for |r| up to ln(2) / 2: Taylor's series, whose next term is 2e-13
   * at the ends. In pairs, and pairs of these: as one chain, each term would wait for the one
   * before.
   */
  private static double series(double r) {
    double r2 = r * r;
    double p = Math.fma(1.0 / 3628800, r2, Math.fma(1.0 / 362880, r, 1.0 / 40320));
    double q = Math.fma(Math.fma(1.0 / 5040, r, 1.0 / 720), r2, Math.fma(1.0 / 120, r, 1.0 / 24));
    return Math.fma(Math.fma(p, r2 * r2, q), r2, Math.fma(1.0 / 6, r, 0.5));
  }

  /**
   * {@code ln(1 + x)}.
   *
   * @param x from 0 to 1
   * @return NaN if x is
   */
  static double log1p(double x) {
    // 2 artanh(s) with s at most 1/3; the series' next term is 1e-15 there. In pairs, as above.
    double s = x / (2 + x);
    double q = s * s;
    double q2 = q * q;
    double q4 = q2 * q2;
    double p = Math.fma(Math.fma(1.0 / 25, q, 1.0 / 23), q2, Math.fma(1.0 / 21, q, 1.0 / 19));
    p = Math.fma(1.0 / 27, q4, p);
    double o = Math.fma(Math.fma(1.0 / 17, q, 1.0 / 15), q2, Math.fma(1.0 / 13, q, 1.0 / 11));
    p = Math.fma(p, q4, o);
    o = Math.fma(Math.fma(1.0 / 9, q, 1.0 / 7), q2, Math.fma(1.0 / 5, q, 1.0 / 3));
    p = Math.fma(p, q4, o);
    return 2 * Math.fma(s * q, p, s);
  }
}
