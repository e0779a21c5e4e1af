package io.deltarule.host;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Engine;
import io.deltarule.engine.Matrix;
import java.util.function.BooleanSupplier;

/**
 * Has the JIT compiler compile the products in vectors, on a thread beside the first steps: runs
 * small ones until they are faster than the plain ones. Once for each JVM.
 */
final class WarmUp implements Runnable {

  /**
   * Rows, inputs and outputs of layers that together use every tile, edge and way to pack. Those
   * with short sums come first: by them a tile is called often enough to be compiled as a whole,
   * before one long loop is.
   */
  private static final int[][] LAYERS = {
    {32, 30, 64}, {32, 64, 32}, {32, 32, 1}, {48, 40, 128}, {7, 40, 70}, {17, 416, 33}
  };

  /** Faster so many times in a row is no accident. */
  private static final int WINS = 3;

  /** Vectors that are not faster by then never will be. */
  private static final long MOST_NANOS = 30_000_000_000L;

  private static final WarmUp ONLY = start();

  private volatile boolean ready;

  /** Starts it, the first time; the answer is whether the products in vectors are ready now. */
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
    try (Engine plain = new HostEngine(1, RowProducts::new);
        Engine vectors = new HostEngine(1, Vectorization::products)) {
      for (int[] shape : LAYERS) {
        Layer slow = new Layer(plain, shape[0], shape[1], shape[2]);
        Layer fast = new Layer(vectors, shape[0], shape[1], shape[2]);
        for (int wins = 0; wins < WINS; ) {
          if (System.nanoTime() - start > MOST_NANOS) {
            return;
          }
          wins = fast.nanos() < slow.nanos() ? wins + 1 : 0;
        }
      }
      ready = true;
    }
  }

  /** The products of a layer on an engine, which closes its matrices. */
  private static final class Layer {
    private final Engine engine;
    private final Matrix x;
    private final Matrix w;
    private final Matrix b;
    private final Matrix a;
    private final Matrix d;
    private final Matrix e;
    private final Matrix dw;
    private final Matrix db;

    Layer(Engine engine, int m, int k, int n) {
      this.engine = engine;
      x = engine.allocate("x", m, k);
      w = engine.allocate("w", n, k);
      b = engine.allocate("b", 1, n);
      a = engine.allocate("a", m, n);
      d = engine.allocate("d", m, n);
      e = engine.allocate("e", m, k);
      dw = engine.allocate("dw", n, k);
      db = engine.allocate("db", 1, n);
    }

    long nanos() {
      long start = System.nanoTime();
      engine.forward(x, w, b, Activation.RELU, a, a);
      engine.propagate(d, w, Activation.RELU, x, e);
      engine.gradients(d, x, dw, db);
      return System.nanoTime() - start;
    }
  }
}
