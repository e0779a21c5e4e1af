package io.deltarule.engine;

/**
 * What a user may ask of an engine; an engine refuses what it does not have, rather than ignore it.
 *
 * @param precision of the matrix products
 * @param threads for engines that compute on the CPU, 0 for all processors
 * @param device which of several devices: a number from 0 or a part of its name; empty for the best
 */
public record EngineOptions(Precision precision, int threads, String device) {

  /** fp32 on all processors and the best device. */
  public static final EngineOptions DEFAULT = new EngineOptions(Precision.FP32, 0, "");

  /**
   * Checks the range.
   *
   * @param precision as above
   * @param threads as above
   * @param device as above
   * @throws IllegalArgumentException if threads is negative
   */
  public EngineOptions {
    if (threads < 0) {
      throw new IllegalArgumentException("threads must be at least 0, not " + threads);
    }
  }

  /**
   * The same with another number of threads.
   *
   * @param number at least 0, 0 for all processors
   * @return the options
   */
  public EngineOptions withThreads(int number) {
    return new EngineOptions(precision, number, device);
  }
}
