package io.deltarule.bench;

import java.io.IOException;

/** Measuring by turns with other processes, so that what disturbs the machine disturbs them all. */
final class Turns {
  private Turns() {}

  /** Says that it is ready, and takes a turn for each byte of the input, until that ends. */
  static void take(Runnable turn) throws IOException {
    Results.print("ready", "");
    while (System.in.read() >= 0) {
      turn.run();
      Results.print("ready", "");
    }
  }
}
