package io.deltarule.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(value = 20, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class WorkersTest {

  /** Counts how often each chunk was run. */
  private static final class Count extends Workers.Task {
    final AtomicIntegerArray runs = new AtomicIntegerArray(1000);
    Throwable thrown;
    int throwing = -1;

    @Override
    void run(int chunk, int worker) {
      runs.incrementAndGet(chunk);
      if (chunk == throwing && thrown instanceof Error error) {
        throw error;
      }
      if (chunk == throwing && thrown instanceof RuntimeException exception) {
        throw exception;
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 5, 16})
  void runEveryChunkOnce(int threads) {
    try (Workers workers = new Workers(threads)) {
      for (int chunks : new int[] {0, 1, 2, 3, 7, 1000}) {
        Count count = new Count();
        int repetitions = 200;
        for (int i = 0; i < repetitions; i++) {
          workers.run(count, chunks);
        }
        for (int chunk = 0; chunk < 1000; chunk++) {
          assertEquals(chunk < chunks ? repetitions : 0, count.runs.get(chunk));
        }
      }
    }
  }

  @Test
  void wakeUpAfterAPause() {
    try (Workers workers = new Workers(3)) {
      Count count = new Count();
      for (int i = 0; i < 20; i++) {
        workers.run(count, 3);
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(2));
      }
      assertEquals(20, count.runs.get(2));
    }
  }

  @Test
  void workAtTheSameTime() {
    CountDownLatch all = new CountDownLatch(4);
    try (Workers workers = new Workers(4)) {
      workers.run(
          new Workers.Task() {
            @Override
            void run(int chunk, int worker) {
              all.countDown();
              try {
                all.await(); // would never end if one thread had two of the chunks
              } catch (InterruptedException e) {
                throw new IllegalStateException(e);
              }
            }
          },
          4);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 5})
  void passOnWhatIsThrown(int threads) {
    try (Workers workers = new Workers(threads)) {
      for (Throwable expected :
          new Throwable[] {new IllegalStateException("a"), new OutOfMemoryError("b")}) {
        for (int chunk : new int[] {0, 6, 12}) {
          Count count = new Count();
          count.thrown = expected;
          count.throwing = chunk;
          assertSame(expected, assertThrows(expected.getClass(), () -> workers.run(count, 13)));
          Count next = new Count();
          workers.run(next, 13); // still usable
          assertEquals(1, next.runs.get(0));
          assertEquals(1, next.runs.get(12));
        }
      }
    }
  }

  @Test
  void endWithThePool() {
    long before = HostEngines.threadsAlive();
    Workers workers = new Workers(4);
    assertEquals(before + 3, HostEngines.threadsAlive());
    workers.run(new Count(), 100);
    workers.close();
    assertEquals(before, HostEngines.threadsAlive());
    workers.close();
  }

  @Test
  void anInterruptIsKept() {
    Workers workers = new Workers(2);
    Thread.currentThread().interrupt();
    workers.run(new Count(), 100);
    assertTrue(Thread.currentThread().isInterrupted());
    workers.close();
    assertTrue(Thread.interrupted());
  }

  @Test
  void aSecondCallerIsRefused() {
    try (Workers workers = new Workers(2)) {
      Count inner = new Count();
      IllegalStateException thrown =
          assertThrows(
              IllegalStateException.class,
              () ->
                  workers.run(
                      new Workers.Task() {
                        @Override
                        void run(int chunk, int worker) {
                          workers.run(inner, 2);
                        }
                      },
                      2));
      assertTrue(thrown.getMessage().startsWith("two threads use one engine"), thrown::toString);
      workers.run(inner, 5);
      assertEquals(1, inner.runs.get(4));
    }
  }
}
