package io.deltarule.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/** Measures the training step of one peer on one task: its loss, its time, the process's memory. */
final class StepMeasurement {
  private final Peer peer;
  private int steps;

  private StepMeasurement(Peer peer) {
    this.peer = peer;
  }

  /**
   * Runs the measurement.
   *
   * @param arguments class of the peer, stack, batch, rule, threads, steps until the loss is read,
   *     seconds of the warm-up, seconds of a turn
   */
  public static void main(String[] arguments) throws ReflectiveOperationException, IOException {
    int[] widths = Arrays.stream(arguments[1].split("-")).mapToInt(Integer::parseInt).toArray();
    Task task =
        Task.of(
            widths,
            Integer.parseInt(arguments[2]),
            Rule.valueOf(arguments[3]),
            Integer.parseInt(arguments[4]));
    Class<?> type = Class.forName("io.deltarule.bench." + arguments[0]);
    try (Peer peer = (Peer) type.getDeclaredConstructor().newInstance()) {
      peer.prepare(task);
      new StepMeasurement(peer)
          .run(
              Integer.parseInt(arguments[5]),
              Double.parseDouble(arguments[6]),
              Double.parseDouble(arguments[7]));
    } catch (UnsupportedOperationException e) {
      Results.print("unsupported", e.getMessage());
    }
    System.exit(0); // some libraries leave threads behind
  }

  private void run(int lossSteps, double warmUp, double seconds) throws IOException {
    steps(1);
    Results.print("first_loss", peer.loss());
    Results.print("version", peer.version());
    Results.print("difference", peer.difference());
    steps(lossSteps - 1);
    Results.print("final_loss", peer.loss());
    Timing timing = new Timing(this::steps, warmUp, seconds);
    Turns.take(line -> Results.print("step_seconds", timing.repeat()));
    Results.print("peak_kib", peakKibibytes());
  }

  private void steps(int count) {
    for (int i = 0; i < count; i++) {
      peer.step(steps++ % Task.BATCHES);
    }
    peer.loss();
  }

  private static String peakKibibytes() throws IOException {
    try (var lines = Files.lines(Path.of("/proc/self/status"))) {
      return lines
          .filter(line -> line.startsWith("VmHWM:"))
          .map(line -> line.replaceAll("\\D", ""))
          .findFirst()
          .orElse("");
    }
  }
}
