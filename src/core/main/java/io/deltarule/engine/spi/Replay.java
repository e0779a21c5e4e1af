package io.deltarule.engine.spi;

import java.util.List;

/** Launches that are prepared to run again and again. */
public interface Replay extends AutoCloseable {

  /**
   * Runs the launches, in their order. Allocates nothing.
   *
   * @param times how often, at least 1
   */
  void run(int times);

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
      public void run(int times) {
        for (int i = 0; i < times; i++) {
          for (Runnable launch : all) {
            launch.run();
          }
        }
      }

      @Override
      public void close() {
        // They hold nothing.
      }
    };
  }
}
