package io.deltarule.host;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Engine;
import io.deltarule.engine.Matrix;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Function;

/**
 * Has the JIT compiler compile the products in vectors, on a thread beside the first steps: runs
 * small ones until they are faster than the plain ones. Once for each JVM.
 */
final class WarmUp implements Runnable {

  /** Rows, inputs and outputs of layers that together use every tile, edge and way to pack. */
  private static final int[][] LAYERS = {
    {32, 30, 64}, {32, 64, 32}, {32, 32, 1}, {1, 130, 70}, {25, 416, 130}
  };

  /** Faster so many times in a row is no accident. */
  private static final int WINS = 3;

  /** Vectors that are not faster by then never will be. */
  private static final long MOST_NANOS = 30_000_000_000L;

  private static final WarmUp ONLY = start();

  private volatile boolean ready;

  private WarmUp() {}

  /** Starts it, the first time; the answer is whether the products in vectors are faster now. */
  static BooleanSupplier begun() {
    return () -> ONLY.ready;
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
    try (Trial plain = new Trial(RowProducts::new);
        Trial vectors = new Trial(Vectorization::products)) {
      long start = System.nanoTime();
      int wins = 0;
      while (wins < WINS && System.nanoTime() - start < MOST_NANOS) {
        wins = vectors.nanos() < plain.nanos() ? wins + 1 : 0;
      }
      ready = wins == WINS;
    }
  }

  /** All layers on an engine. */
  private static final class Trial implements AutoCloseable {
    private final Engine engine;
    private final List<Runnable> layers = new ArrayList<>();

    Trial(Function<Workers, Products> products) {
      engine = new HostEngine(1, products);
      for (int[] layer : LAYERS) {
        layers.add(layer(layer[0], layer[1], layer[2]));
      }
    }

    private Runnable layer(int m, int k, int n) {
      Matrix x = engine.allocate("x", m, k);
      Matrix w = engine.allocate("w", n, k);
      Matrix b = engine.allocate("b", 1, n);
      Matrix a = engine.allocate("a", m, n);
      Matrix d = engine.allocate("d", m, n);
      Matrix e = engine.allocate("e", m, k);
      Matrix dw = engine.allocate("dw", n, k);
      Matrix db = engine.allocate("db", 1, n);
      return () -> {
        engine.forward(x, w, b, Activation.RELU, a, a);
        engine.propagate(d, w, Activation.RELU, x, e);
        engine.gradients(d, x, dw, db);
      };
    }

    long nanos() {
      long start = System.nanoTime();
      layers.forEach(Runnable::run);
      return System.nanoTime() - start;
    }

    @Override
    public void close() {
      engine.close();
    }
  }
}
