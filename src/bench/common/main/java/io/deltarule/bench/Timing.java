package io.deltarule.bench;

import java.util.function.IntConsumer;

/** Times something that is done over and over. */
final class Timing {
  private final IntConsumer work;
  private final int runs; // so many that the clock does not count

  /**
   * Warms up.
   *
   * @param work told how often to run
   * @param warmUp seconds; it runs once at least
   * @param seconds for a repeat
   */
  Timing(IntConsumer work, double warmUp, double seconds) {
    this.work = work;
    int chunk = 1;
    double spent = 0;
    double each; // seconds of a run in the last, longest chunk
    do {
      each = time(chunk);
      spent += each * chunk;
      chunk = (int) Math.max(1, Math.min(2L * chunk, 2 * seconds / each));
    } while (spent < warmUp);
    runs = (int) Math.max(1, seconds / each);
  }

  /** The seconds of one run, in one repeat; after a run that brings the data back to the caches. */
  double repeat() {
    time(1);
    return time(runs);
  }

  private double time(int count) {
    long from = System.nanoTime();
    work.accept(count);
    return (System.nanoTime() - from) * 1e-9 / count;
  }
}
