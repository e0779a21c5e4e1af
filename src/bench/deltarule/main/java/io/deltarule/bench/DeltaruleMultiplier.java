package io.deltarule.bench;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineOptions;
import io.deltarule.engine.Engines;
import io.deltarule.engine.Matrix;
import io.deltarule.engine.Recording;

/**
 * The host engine's products, through the equations that contain them: a bias of zeros and no
 * activation forward, column sums with the gradient.
 */
final class DeltaruleMultiplier implements Multiplier {
  private Engine engine;

  @Override
  public void use(int threads) {
    engine = Engines.choose("host", EngineOptions.DEFAULT.withThreads(threads)).engine();
  }

  @Override
  public String version() {
    return "Deltarule, " + engine.description().device();
  }

  @Override
  public Runnable product(Order order, float[] a, float[] b, int m, int n, int k) {
    Matrix c = engine.allocate("C", m, n);
    Recording product =
        engine.record(
            switch (order) {
              case NT -> {
                Matrix x = matrix("A", m, k, a);
                Matrix w = matrix("B", n, k, b);
                Matrix bias = engine.allocate("bias", 1, n);
                yield () -> engine.forward(x, w, bias, Activation.IDENTITY, c, c);
              }
              case NN -> {
                Matrix d = matrix("A", m, k, a);
                Matrix w = matrix("B", k, n, b);
                Matrix saved = engine.allocate("activations", m, n);
                yield () -> engine.propagate(d, w, Activation.IDENTITY, saved, c);
              }
              case TN -> {
                Matrix d = matrix("A", k, m, a);
                Matrix x = matrix("B", k, n, b);
                Matrix sums = engine.allocate("column sums", 1, m);
                yield () -> engine.gradients(d, x, c, sums);
              }
            });
    return product::run;
  }

  private Matrix matrix(String name, int rows, int columns, float[] values) {
    Matrix matrix = engine.allocate(name, rows, columns);
    engine.write(matrix, values);
    return matrix;
  }

  @Override
  public void close() {
    engine.close();
  }
}
