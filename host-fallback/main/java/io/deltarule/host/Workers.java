package io.deltarule.host;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;

/**
 * A pool of threads for one caller at a time, who works with them. Each has a share of a task's
 * chunks, the same one whenever their number is the same: what it wrote last is in its own cache.
 * It claims them from a counter, and then those of the others, so a thread that the machine takes
 * away delays only the chunk it holds. Nothing is allocated per task.
 */
final class Workers implements AutoCloseable {

  /** Work in numbered chunks. Its fields are set by the caller before {@link Workers#run}. */
  abstract static class Task {
    /**
     * Does one chunk; the result must not depend on which worker does it, or when.
     *
     * @param chunk from 0
     * @param worker whose scratch memory to use: 0 is the caller
     */
    abstract void run(int chunk, int worker);
  }

  /** About 20 microseconds of pause instructions: longer than the gaps within a training step. */
  private static final int SPINS = 1000;

  /** Between two counters: two cache lines. */
  private static final int SPACING = 16;

  private final AtomicBoolean busy = new AtomicBoolean(); // a second caller would never be done
  private final AtomicLong tasks = new AtomicLong(); // how many there have been
  private final AtomicLongArray shares; // where each ends, and its next chunk, in one word
  private final AtomicInteger pending = new AtomicInteger(); // chunks not yet finished
  private final AtomicReference<Throwable> failure = new AtomicReference<>();
  private final Worker[] others;
  private final int spins;
  private Task task; // published by shares
  private volatile Thread waiter; // the caller, when it has stopped spinning
  private volatile boolean closed;

  Workers(int threads) {
    // Threads without a processor of their own only disturb the others by spinning.
    spins = threads <= Runtime.getRuntime().availableProcessors() ? SPINS : 0;
    shares = new AtomicLongArray(threads * SPACING);
    others = new Worker[threads - 1];
    try {
      for (int i = 0; i < others.length; i++) {
        Worker worker = new Worker(i + 1);
        worker.start();
        others[i] = worker;
      }
    } catch (RuntimeException | Error e) {
      close(); // those that run
      throw e;
    }
  }

  /** How many threads there are, with the caller. */
  int threads() {
    return others.length + 1;
  }

  /**
   * Runs all chunks and waits for them. What a chunk throws is thrown here, after the others have
   * come to rest; chunks not begun by then are dropped.
   */
  void run(Task work, int chunks) {
    if (others.length == 0 || chunks <= 1) {
      run(work, false, chunks);
      return;
    }
    if (!busy.compareAndSet(false, true)) {
      throw new IllegalStateException(
          "two threads use one engine at the same time; give each its own, or let one wait");
    }
    try {
      share(work, chunks);
    } finally {
      busy.set(false);
    }
  }

  private void share(Task work, int chunks) {
    task = work;
    pending.set(chunks);
    int sharing = Math.min(threads(), chunks);
    for (int i = 0; i < sharing; i++) {
      long end = (long) chunks * (i + 1) / sharing;
      shares.set(i * SPACING, end << 32 | (long) chunks * i / sharing);
    }
    tasks.set(tasks.get() + 1);
    for (int i = 0; i < Math.min(others.length, chunks - 1); i++) {
      if (others[i].parked) {
        LockSupport.unpark(others[i]);
      }
    }
    work(0);
    await();
    task = null;
    if (failure.get() != null) {
      Throwable thrown = failure.getAndSet(null);
      if (thrown instanceof Error error) {
        throw error;
      }
      throw (RuntimeException) thrown;
    }
  }

  /** Runs all chunks: with the others where that is worth it, or else here. */
  void run(Task work, boolean shared, int chunks) {
    if (shared) {
      run(work, chunks);
      return;
    }
    for (int chunk = 0; chunk < chunks; chunk++) {
      work.run(chunk, 0);
    }
  }

  /** Claims and runs chunks of the current task until there are none left. */
  private void work(int worker) {
    for (int i = 0; i < threads(); i++) {
      work(worker, (worker + i) % threads());
    }
  }

  private void work(int worker, int share) {
    for (; ; ) {
      // A thread that comes late finds a share without chunks, or that of the next task.
      long seen = shares.get(share * SPACING);
      int chunk = (int) seen;
      if (chunk == seen >>> 32) {
        return;
      }
      if (shares.compareAndSet(share * SPACING, seen, seen + 1)) {
        try {
          if (failure.get() == null) {
            task.run(chunk, worker);
          }
        } catch (RuntimeException | Error e) {
          failure.compareAndSet(null, e);
        }
        if (pending.decrementAndGet() == 0) {
          LockSupport.unpark(waiter); // does nothing if there is none
        }
      }
    }
  }

  private void await() {
    for (int i = 0; i < spins && pending.get() > 0; i++) {
      Thread.onSpinWait();
    }
    if (pending.get() > 0) {
      boolean interrupted = false;
      waiter = Thread.currentThread();
      while (pending.get() > 0) {
        LockSupport.park(this);
        interrupted |= Thread.interrupted(); // or else it would not park again
      }
      waiter = null;
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Ends and joins the threads. */
  @Override
  public void close() {
    closed = true;
    boolean interrupted = false;
    for (Worker other : others) {
      LockSupport.unpark(other);
      while (other != null && other.isAlive()) {
        try {
          other.join();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private final class Worker extends Thread {
    private final int index;
    private volatile boolean parked;

    Worker(int index) {
      super("deltarule-host-" + index);
      this.index = index;
      setDaemon(true);
    }

    @Override
    public void run() {
      long last = 0;
      while (!closed) {
        long number = tasks.get();
        for (int i = 0; i < spins && number == last; i++) {
          Thread.onSpinWait();
          number = tasks.get();
        }
        if (number == last) {
          parked = true;
          // Looked at again after saying so: either this sees the task, or the caller sees parked.
          if (tasks.get() == last && !closed) {
            LockSupport.park(Workers.this);
          }
          parked = false;
        } else {
          last = number;
          work(index);
        }
      }
    }
  }
}
