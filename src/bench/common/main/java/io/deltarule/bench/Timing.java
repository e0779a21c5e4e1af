package io.deltarule.bench;

import java.util.function.IntConsumer;

/** Times something that is done over and over. */
final class Timing {
  private Timing() {}

  /**
   * Warms up, then repeats; a repeat runs so often that the clock does not count.
   *
   * @param work told how often to run
   * @param seconds for the warm-up, and for all repeats together
   * @param repeats how many
   * @return the seconds of one run, of each repeat
   */
  static double[] seconds(IntConsumer work, double seconds, int repeats) {
    long runs = 0;
    int chunk = 1;
    long start = System.nanoTime();
    double spent;
    do {
      work.accept(chunk);
      runs += chunk;
      spent = (System.nanoTime() - start) * 1e-9;
      chunk = (int) Math.max(1, Math.min(runs, runs * (seconds - spent) / spent));
    } while (spent < seconds);
    int inner = (int) Math.max(1, runs * seconds / spent / repeats);
    double[] times = new double[repeats];
    for (int r = 0; r < repeats; r++) {
      long from = System.nanoTime();
      work.accept(inner);
      times[r] = (System.nanoTime() - from) * 1e-9 / inner;
    }
    return times;
  }
}
