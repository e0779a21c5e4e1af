package io.deltarule.bench;

import java.util.function.IntConsumer;

/** Times something that is done over and over. */
final class Timing {
  private Timing() {}

  /**
   * Warms up, then repeats; a repeat runs so often that the clock does not count.
   *
   * @param work told how often to run
   * @param warmUp seconds before it counts
   * @param seconds for all repeats together
   * @param repeats how many
   * @return the seconds of one run, of each repeat
   */
  static double[] seconds(IntConsumer work, double warmUp, double seconds, int repeats) {
    int chunk = 1;
    double spent = 0;
    double each = 0; // seconds of a run in the last, longest chunk
    while (spent < warmUp) {
      each = time(work, chunk);
      spent += each * chunk;
      chunk = (int) Math.max(1, Math.min(2L * chunk, seconds / 4 / each));
    }
    int inner = (int) Math.max(1, seconds / repeats / each);
    double[] times = new double[repeats];
    for (int r = 0; r < repeats; r++) {
      times[r] = time(work, inner);
    }
    return times;
  }

  private static double time(IntConsumer work, int runs) {
    long from = System.nanoTime();
    work.accept(runs);
    return (System.nanoTime() - from) * 1e-9 / runs;
  }
}
