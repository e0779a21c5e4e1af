package io.deltarule.engine;

/** Recorded calls, see {@link Engine#record}. */
public interface Recording extends AutoCloseable {

  /**
   * Replays the calls, in their order, after all calls made before: bit for bit what they would
   * give.
   *
   * @throws IllegalArgumentException if a matrix that they use is closed, or a cursor stands past
   *     the end of what it indexes
   * @throws IllegalStateException if the recording or its engine is closed
   */
  void run();

  /** Frees what the recording holds; its matrices stay. Again does nothing. */
  @Override
  void close();
}
