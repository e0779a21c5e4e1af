package io.deltarule.engine;

/** Recorded calls, see {@link Engine#record}. */
public interface Recording extends AutoCloseable {

  /** Replays the calls once, see {@link #run(int)}. */
  default void run() {
    run(1);
  }

  /**
   * Replays the calls, in their order, after all calls made before: bit for bit what they would
   * give. Several times at once may cost less than one after the other.
   *
   * @param times how often, at least 1
   * @throws IllegalArgumentException if a matrix that they use is closed, or a cursor stands past
   *     the end of what it indexes, or would do so before the last time; then nothing is replayed
   * @throws IllegalStateException if the recording or its engine is closed
   */
  void run(int times);

  /** Frees what the recording holds; its matrices stay. Again does nothing. */
  @Override
  void close();
}
