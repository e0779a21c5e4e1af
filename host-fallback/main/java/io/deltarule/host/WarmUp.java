package io.deltarule.host;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Cursor;
import io.deltarule.engine.Engine;
import io.deltarule.engine.Matrix;
import io.deltarule.engine.UpdateRule;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/**
 * Has the JIT compiler compile the kernels in vectors, on a thread beside the first steps: runs
 * small ones until they are faster than the plain ones. Once for each JVM.
 */
final class WarmUp implements Runnable {

  /**
   * Rows, columns and terms of products that together use every tile, edge and way to pack. Those
   * with long sums come first: C2 compiles the loop of a tile by how often it has gone round, and
   * one that began with 30 terms stayed a third slower for good (JDK 17).
   */
  private static final int[][] SHAPES = {
    {24, 64, 390},
    {8, 32, 390},
    {32, 1, 390},
    {32, 64, 30},
    {32, 32, 64},
    {7, 70, 40},
    {17, 100, 800},
    {136, 100, 100}
  };

  /** Faster so many times in a row is no accident. */
  private static final int WINS = 3;

  /** Vectors that are not faster by then never will be. */
  private static final long MOST_NANOS = 30_000_000_000L;

  private static final WarmUp ONLY = start();

  private volatile boolean ready;

  /** Starts it, the first time; the answer is whether the kernels in vectors are ready now. */
  static BooleanSupplier begun() {
    return ONLY::ready;
  }

  /** Whether it has ended with them faster than the plain ones. */
  boolean ready() {
    return ready;
  }

  private static WarmUp start() {
    WarmUp warmUp = new WarmUp();
    Thread thread = new Thread(warmUp, "deltarule-warm-up");
    thread.setDaemon(true);
    thread.start();
    return warmUp;
  }

  @Override
  public void run() {
    long start = System.nanoTime();
    try (Engine plain = new HostEngine(1, PlainKernels::new);
        Engine vectors = new HostEngine(1, Vectorization::kernels)) {
      for (int[] shape : SHAPES) {
        Trial slow = new Products(plain, shape[0], shape[1], shape[2]);
        Trial fast = new Products(vectors, shape[0], shape[1], shape[2]);
        if (!faster(fast, slow, 1, start)) {
          return;
        }
      }
      // In short vectors these are only as fast as plain loops, of which C2 makes vectors, too.
      ready = faster(new Streams(vectors, 1000, 16), new Streams(plain, 1000, 16), 2, start);
    }
  }

  /** Runs both until the first takes less than so many times the other; false if it never does. */
  private static boolean faster(Trial fast, Trial slow, int times, long start) {
    for (int wins = 0; wins < WINS; ) {
      if (System.nanoTime() - start > MOST_NANOS) {
        return false;
      }
      long most = times * nanos(slow);
      long took = nanos(fast);
      wins = took < most ? wins + 1 : 0;
      LockSupport.parkNanos(took); // half of the time is for the compiler and the steps
    }
    return true;
  }

  private static long nanos(Trial trial) {
    long start = System.nanoTime();
    trial.run();
    return System.nanoTime() - start;
  }

  /** Some work on an engine, which closes its matrices. */
  private interface Trial {
    void run();
  }

  /** The three products with a result [m x n] and k terms. */
  private static final class Products implements Trial {
    private final Engine engine;
    private final Matrix left;
    private final Matrix leftTransposed;
    private final Matrix right;
    private final Matrix rightTransposed;
    private final Matrix bias;
    private final Matrix saved;
    private final Matrix result;
    private final Matrix sums;

    Products(Engine engine, int m, int n, int k) {
      this.engine = engine;
      left = engine.allocate("left", m, k);
      leftTransposed = engine.allocate("left'", k, m);
      right = engine.allocate("right", k, n);
      rightTransposed = engine.allocate("right'", n, k);
      bias = engine.allocate("bias", 1, n);
      saved = engine.allocate("saved", m, n);
      result = engine.allocate("result", m, n);
      sums = engine.allocate("sums", 1, m);
    }

    @Override
    public void run() {
      engine.forward(left, rightTransposed, bias, Activation.RELU, result, result);
      engine.propagate(left, right, Activation.RELU, saved, result);
      engine.gradients(leftTransposed, right, result, sums);
    }
  }

  /** Adam's update, of the rules the one in vectors, and the gradient of one unit. */
  private static final class Streams implements Trial {
    private static final UpdateRule ADAM = new UpdateRule.Adam(0.9f, 0.999f, 1e-8f);
    private final Engine engine;
    private final Matrix theta;
    private final Matrix gradient;
    private final Matrix state;
    private final Matrix schedule;
    private final Cursor at;
    private final Matrix error;
    private final Matrix input;
    private final Matrix bias;

    Streams(Engine engine, int parameters, int rows) {
      this.engine = engine;
      theta = engine.allocate("theta", 1, parameters);
      gradient = engine.allocate("gradient", 1, parameters);
      state = engine.allocate("state", ADAM.stateRows(), parameters);
      schedule = engine.allocate("schedule", 1, UpdateRule.SCALARS);
      engine.write(schedule, ADAM.scalars(1, 0.01, 0));
      at = engine.allocateCursor("at");
      error = engine.allocate("error", rows, 1);
      input = engine.allocate("input", rows, parameters);
      bias = engine.allocate("bias", 1, 1);
    }

    @Override
    public void run() {
      engine.gradients(error, input, gradient, bias);
      engine.update(ADAM, theta, gradient, state, schedule, at);
    }
  }
}
