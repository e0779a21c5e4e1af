package io.deltarule.engine.spi;

import java.util.List;

/** Launches that are prepared to run again and again. */
public interface Replay extends AutoCloseable {

  /** Runs the launches, in their order. Allocates nothing. */
  void run();

  /** Frees what the launches hold, after those that are queued; again does nothing. */
  @Override
  void close();

  /**
   * Launches that are simply made again.
   *
   * @param launches in their order
   * @return the replay
   */
  static Replay of(List<Runnable> launches) {
    Runnable[] all = launches.toArray(Runnable[]::new);
    return new Replay() {
      @Override
      public void run() {
        for (Runnable launch : all) {
          launch.run();
        }
      }

      @Override
      public void close() {
        // They hold nothing.
      }
    };
  }
}
