package io.deltarule.engine;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** The precision of an engine's matrix products; everything else is 32-bit throughout. */
public enum Precision {
  /** 32-bit floats: agrees with the host engine. */
  FP32(0x1p-24),
  /** Factors rounded to 11 bits, sums in 32-bit floats. */
  TF32(0x1p-11),
  /** Factors rounded to 8 bits, sums in 32-bit floats; master weights stay 32-bit. */
  BF16(0x1p-8);

  private final double roundoff;

  Precision(double roundoff) {
    this.roundoff = roundoff;
  }

  /**
   * The largest relative error of rounding one factor.
   *
   * @return half a unit in the last place
   */
  public double roundoff() {
    return roundoff;
  }

  /**
   * The name as the command line spells it.
   *
   * @return such as {@code fp32}
   */
  public String spelling() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * The constant of a spelling.
   *
   * @param spelling such as {@code fp32}
   * @return the precision
   * @throws IllegalArgumentException naming the possible spellings
   */
  public static Precision of(String spelling) {
    for (Precision precision : values()) {
      if (precision.spelling().equals(spelling)) {
        return precision;
      }
    }
    throw new IllegalArgumentException(
        "unknown precision '"
            + spelling
            + "'; one of "
            + Arrays.stream(values()).map(Precision::spelling).collect(Collectors.joining(", ")));
  }
}
