package io.deltarule.host;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Cursor;
import io.deltarule.engine.Engine;
import io.deltarule.engine.Matrix;
import io.deltarule.engine.UpdateRule;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * Has the JIT compiler compile the kernels in vectors, on a thread beside the first steps: runs
 * small ones until they are about as fast as the plain ones or faster, first those of wide
 * products, where a step has most to gain. Once for each JVM.
 */
final class WarmUp implements Runnable {

  /** What is compiled. */
  enum State {
    NOTHING,
    /** {@link Kernels#wide} products, and gradients of more than one unit. */
    WIDE,
    /** All but products that leave out zeros. */
    DENSE,
    ALL
  }

  /**
   * Wide products and gradients that use all their tiles, edges and ways to pack. A vector that is
   * not compiled takes a microsecond. So the first tiles have few terms: C2 compiles a method that
   * has been called a thousand times; if its loop has gone round 40,000 times before, it compiles
   * that first, by itself, which is of no use here.
   */
  private static final List<Function<Engine, Runnable>> WIDE =
      List.of(
          engine -> new Products(engine, 256, 240, 16)::all,
          engine -> new Products(engine, 8, 480, 480)::all,
          engine -> new Products(engine, 1024, 32, 16)::gradients,
          engine -> new Products(engine, 1024, 16, 16)::gradients,
          engine -> new Products(engine, 136, 100, 100)::all,
          engine -> new Products(engine, 17, 100, 801)::all,
          engine -> new Products(engine, 32, 100, 16)::all,
          engine -> new Products(engine, 64, 250, 1)::all);

  /** The other products. */
  private static final List<Function<Engine, Runnable>> NARROW =
      List.of(
          engine -> new Products(engine, 256, 48, 16)::all,
          engine -> new Products(engine, 256, 32, 16)::all,
          engine -> new Products(engine, 256, 16, 16)::all,
          engine -> new Products(engine, 32, 1, 390)::all,
          engine -> new Products(engine, 32, 64, 30)::all,
          engine -> new Products(engine, 32, 32, 64)::all,
          engine -> new Products(engine, 7, 70, 40)::all);

  /** Products that leave out zeros, in lists of few terms for the same reason. */
  private static final List<Function<Engine, Runnable>> SPARSE =
      List.of(
          engine -> new Products(engine, 256, 192, 64).fill(7, 1)::all,
          engine -> new Products(engine, 192, 256, 64).fill(1, 7)::gradients,
          engine -> new Products(engine, 71, 230, 801).fill(7, 1)::all,
          engine -> new Products(engine, 230, 100, 801).fill(1, 7)::gradients);

  /**
   * A trial that takes less than so many times the time of plain loops is compiled: vectors that
   * are not take a hundred times as long, and of 128 bits, small ones are no faster than plain
   * loops.
   */
  private static final double COMPILED = 1.25;

  /** So many times in a row are no accident. */
  private static final int WINS = 3;

  /** Vectors that are slower then always will be. */
  private static final long MOST_NANOS = 30_000_000_000L;

  private static final WarmUp ONLY = start();

  private volatile State state = State.NOTHING;

  /** Starts it, the first time; what it gives is the state at that moment. */
  static Supplier<State> begun() {
    return ONLY::state;
  }

  /** What is compiled by now. */
  State state() {
    return state;
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
        Engine vectors = new HostEngine(1, Vectorization::kernels);
        Engine sparse = new HostEngine(1, workers -> Vectorization.kernels(workers, () -> 0))) {
      if (!compiled(WIDE, vectors, plain, start)) {
        return;
      }
      state = State.WIDE;
      Runnable fast = new Streams(vectors, 1000, 16)::run;
      Runnable slow = new Streams(plain, 1000, 16)::run;
      // In short vectors these are only as fast as plain loops, of which C2 makes vectors, too.
      if (!compiled(NARROW, vectors, plain, start) || !faster(fast, slow, 2, start)) {
        return;
      }
      state = State.DENSE;
      if (compiled(SPARSE, sparse, plain, start)) {
        state = State.ALL;
      }
    }
  }

  private static boolean compiled(
      List<Function<Engine, Runnable>> trials, Engine fast, Engine slow, long start) {
    for (Function<Engine, Runnable> trial : trials) {
      if (!faster(trial.apply(fast), trial.apply(slow), COMPILED, start)) {
        return false;
      }
    }
    return true;
  }

  /** Runs both until the first takes less than so many times the other; false if it never does. */
  private static boolean faster(Runnable fast, Runnable slow, double times, long start) {
    for (int wins = 0; wins < WINS; ) {
      if (System.nanoTime() - start > MOST_NANOS) {
        return false;
      }
      double most = times * nanos(slow);
      long took = nanos(fast);
      wins = took < most ? wins + 1 : 0;
      LockSupport.parkNanos(took); // half of the time is for the compiler and the steps
    }
    return true;
  }

  private static long nanos(Runnable trial) {
    long start = System.nanoTime();
    trial.run();
    return System.nanoTime() - start;
  }

  /** The three products with a result [m x n] and k terms; the engine frees their matrices. */
  private static final class Products {
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

    /** Makes every so manieth number of the left operands, and of the right ones, a one. */
    Products fill(int leftStep, int rightStep) {
      ones(left, leftStep);
      ones(leftTransposed, leftStep);
      ones(right, rightStep);
      ones(rightTransposed, rightStep);
      return this;
    }

    private void ones(Matrix matrix, int step) {
      float[] values = new float[(int) matrix.size()];
      for (int i = 0; i < values.length; i += step) {
        values[i] = 1;
      }
      engine.write(matrix, values);
    }

    void all() {
      engine.forward(left, rightTransposed, bias, Activation.RELU, result, result);
      engine.propagate(left, right, Activation.RELU, saved, result);
      gradients();
    }

    void gradients() {
      engine.gradients(leftTransposed, right, result, sums);
    }
  }

  /** Adam's update, of the rules the one in vectors, and the gradient of one unit. */
  private static final class Streams {
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

    void run() {
      engine.gradients(error, input, gradient, bias);
      engine.update(ADAM, theta, gradient, state, schedule, at);
    }
  }
}
