package io.deltarule.app;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Turns Ctrl-C into a request to end: while one is open, the JVM goes down only after it was
 * closed, so that there is time to save. Exit status and signal are the JVM's usual ones.
 */
final class Interruption implements AutoCloseable {
  private static final int MOST_SECONDS = 60;

  private final CountDownLatch done = new CountDownLatch(1);
  private volatile boolean requested;
  private final Thread hook =
      new Thread(
          () -> {
            requested = true;
            try {
              done.await(MOST_SECONDS, TimeUnit.SECONDS);
            } catch (InterruptedException e) {
              Thread.currentThread().interrupt();
            }
          },
          "deltarule-interruption");

  Interruption() {
    Runtime.getRuntime().addShutdownHook(hook);
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
