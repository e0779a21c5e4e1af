package io.deltarule.host;

import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineOptions;
import io.deltarule.engine.Matrix;
import java.util.Random;

/** What the tests of this module share. */
final class HostEngines {
  private HostEngines() {}

  /** With the fastest kernels from the first call on. */
  static Engine open(EngineOptions options) {
    return new HostEngineProvider(Vectorization::kernels).open(options);
  }

  static Engine open(int threads) {
    return open(EngineOptions.DEFAULT.withThreads(threads));
  }

  /** The threads of all engines. */
  static long threadsAlive() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().startsWith("deltarule-host-"))
        .count();
  }

  /** A matrix of normally distributed numbers, a function of its shape and the seed. */
  static Matrix random(Engine engine, int rows, int columns, long seed) {
    Matrix matrix = engine.allocate("m" + seed, rows, columns);
    engine.write(matrix, random(rows * columns, seed));
    return matrix;
  }

  static float[] random(int length, long seed) {
    Random random = new Random(31 * length + seed);
    float[] values = new float[length];
    for (int i = 0; i < length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  static float[] read(Engine engine, Matrix matrix) {
    float[] values = new float[(int) matrix.size()];
    engine.read(matrix, values);
    return values;
  }
}
