package io.deltarule.engine;

/**
 * What a user may ask of an engine; an engine refuses what it does not have, rather than ignore it.
 *
 * @param precision of the matrix products
 * @param threads for engines that compute on the CPU, 0 for all processors
 */
public record EngineOptions(Precision precision, int threads) {

  /** fp32 on all processors. */
  public static final EngineOptions DEFAULT = new EngineOptions(Precision.FP32, 0);

  /**
   * Checks the range.
   *
   * @param precision as above
   * @param threads as above
   * @throws IllegalArgumentException if threads is negative
   */
  public EngineOptions {
    if (threads < 0) {
      throw new IllegalArgumentException("threads must be at least 0, not " + threads);
    }
  }
}
