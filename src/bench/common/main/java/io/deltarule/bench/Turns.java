package io.deltarule.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.function.Consumer;

/** Measuring by turns with other processes, so that what disturbs the machine disturbs them all. */
final class Turns {
  private Turns() {}

  /**
   * Says that it is ready, and takes a turn for each line of the input, until that ends.
   *
   * @param turn told the line: what to measure, where there is a choice
   */
  static void take(Consumer<String> turn) throws IOException {
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    Results.print("ready", "");
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      turn.accept(line);
      Results.print("ready", "");
    }
  }
}
