package io.deltarule.app;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Turns Ctrl-C into a request to end: from {@link #await} on, the JVM goes down only once this is
 * closed, so that there is time to save and to say so. Exit status and signal are the JVM's usual
 * ones.
 */
final class Interruption implements AutoCloseable {
  private static final int MOST_SECONDS = 60;

  private final CountDownLatch done = new CountDownLatch(1);
  private volatile boolean awaited;
  private volatile boolean requested;
  private final Thread hook =
      new Thread(
          () -> {
            requested = true;
            try {
              if (awaited) {
                done.await(MOST_SECONDS, TimeUnit.SECONDS);
              }
            } catch (InterruptedException e) {
              Thread.currentThread().interrupt();
            }
          },
          "deltarule-interruption");

  Interruption() {
    Runtime.getRuntime().addShutdownHook(hook);
  }

  /** From now on there is something to save: go down only after {@link #close}. */
  void await() {
    awaited = true;
  }

  boolean requested() {
    return requested;
  }

  @Override
  public void close() {
    done.countDown();
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // The JVM is going down already, which is when this closes last.
    }
  }
}
