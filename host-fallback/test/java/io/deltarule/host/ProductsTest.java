package io.deltarule.host;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Engine;
import io.deltarule.engine.Matrix;
import io.deltarule.engine.Precision;
import io.deltarule.engine.Tolerance;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class ProductsTest {
  private static final int[] SIZES = {
    0, 1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 127, 130
  };

  /** One of each product, X [m x k], W [n x k]; the results are read as {@link #results}. */
  private record Products(int m, int n, int k, Activation f) {

    /** Z or A, E, dW and db. */
    List<float[]> results(Engine engine) {
      Matrix x = HostEngines.random(engine, m, k, 1);
      Matrix w = HostEngines.random(engine, n, k, 2);
      Matrix b = HostEngines.random(engine, 1, n, 3);
      Matrix d = HostEngines.random(engine, m, n, 4);
      Matrix a = engine.allocate("a", m, n);
      Matrix saved = f.savesInput() ? engine.allocate("z", m, n) : a;
      Matrix e = engine.allocate("e", m, k);
      Matrix dw = engine.allocate("dw", n, k);
      Matrix db = engine.allocate("db", 1, n);
      engine.forward(x, w, b, f, saved, a);
      engine.propagate(d, w, f, x, e);
      engine.gradients(d, x, dw, db);
      List<Matrix> all = List.of(a, saved, e, dw, db);
      List<float[]> results = all.stream().map(r -> HostEngines.read(engine, r)).toList();
      all.forEach(Matrix::close);
      List.of(x, w, b, d).forEach(Matrix::close);
      return results;
    }

    void check(Engine engine) {
      List<float[]> results = results(engine);
      float[] x = HostEngines.random(m * k, 1);
      float[] w = HostEngines.random(n * k, 2);
      float[] b = HostEngines.random(n, 3);
      float[] d = HostEngines.random(m * n, 4);
      for (int i = 0; i < m; i++) {
        for (int j = 0; j < n; j++) {
          double z = b[j];
          for (int p = 0; p < k; p++) {
            z += (double) x[i * k + p] * w[j * k + p];
          }
          near("A", results.get(0)[i * n + j], f.apply(z), k);
          near("saved", results.get(1)[i * n + j], f.savesInput() ? z : f.apply(z), k);
        }
        for (int p = 0; p < k; p++) {
          double e = 0;
          for (int j = 0; j < n; j++) {
            e += (double) d[i * n + j] * w[j * k + p];
          }
          near("E", results.get(2)[i * k + p], e * f.derivative(x[i * k + p]), n);
        }
      }
      for (int j = 0; j < n; j++) {
        double db = 0;
        for (int i = 0; i < m; i++) {
          db += d[i * n + j];
        }
        near("db", results.get(4)[j], db, m);
        for (int p = 0; p < k; p++) {
          double dw = 0;
          for (int i = 0; i < m; i++) {
            dw += (double) d[i * n + j] * x[i * k + p];
          }
          near("dW", results.get(3)[j * k + p], dw, m);
        }
      }
    }

    private void near(String what, float actual, double expected, int terms) {
      Tolerance tolerance = Tolerance.sum(Precision.FP32, terms, 4).and(Tolerance.function(4));
      assertTrue(
          tolerance.accepts(actual, expected),
          () -> "%s: %s is not %s, %s".formatted(what, actual, expected, this));
    }
  }

  @Test
  void agreeWithDoublePrecision() {
    Random random = new Random(5);
    try (Engine engine = HostEngines.open(2)) {
      for (int first : SIZES) {
        for (int second : SIZES) {
          int third = SIZES[random.nextInt(SIZES.length)];
          new Products(first, second, third, Activation.RELU).check(engine);
          new Products(third, first, second, Activation.IDENTITY).check(engine);
          new Products(first, third, second, Activation.LEAKY_RELU).check(engine);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void fuseEveryActivation(Activation f) {
    try (Engine engine = HostEngines.open(1)) {
      new Products(9, 33, 17, f).check(engine);
      new Products(9, 5, 2, f).check(engine);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "50, 2561, 20",
    "3, 20, 2600",
    "2600, 9, 70",
    "67, 200, 800",
    "9, 20, 800",
    "9, 20, 801"
  })
  void splitWideRowsAndLongSums(int m, int n, int k) {
    try (Engine engine = HostEngines.open(3)) {
      new Products(m, n, k, Activation.RELU).check(engine);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "130, 127, 130",
    "256, 130, 100",
    "7, 700, 700",
    "400, 1, 3000",
    "850, 1, 1030",
    "1100, 1, 1030",
    "64, 1300, 65",
    "330, 320, 810",
    "1, 1, 1"
  })
  void giveTheSameBitsOnAnyNumberOfThreads(int m, int n, int k) {
    Products products = new Products(m, n, k, Activation.GELU);
    List<float[]> expected;
    try (Engine engine = HostEngines.open(1)) {
      expected = products.results(engine);
    }
    for (int threads : new int[] {2, 3, 5, 8}) {
      try (Engine engine = HostEngines.open(threads)) {
        for (int repetition = 0; repetition < 3; repetition++) {
          List<float[]> actual = products.results(engine);
          for (int i = 0; i < expected.size(); i++) {
            assertArrayEquals(expected.get(i), actual.get(i));
          }
        }
      }
    }
  }

  /** And so in vectors of any width. */
  @ParameterizedTest
  @CsvSource({
    "32, 64, 30",
    "32, 1, 32",
    "45, 1, 19",
    "1, 1, 1024",
    "1, 1, 1019",
    "9, 13, 44",
    "1, 70, 130",
    "7, 19, 1000",
    "67, 200, 801",
    "850, 33, 47",
    "850, 1, 1030",
    "1100, 1, 1030",
    "65, 1300, 129",
    "330, 320, 810",
    "130, 127, 0"
  })
  void giveTheSameBitsInPlainJava(int m, int n, int k) {
    for (Activation f : Activation.values()) {
      Products products = new Products(m, n, k, f);
      try (Engine engine = HostEngines.open(3);
          Engine plain = new HostEngine(2, PlainKernels::new)) {
        List<float[]> expected = products.results(plain);
        List<float[]> actual = products.results(engine);
        for (int i = 0; i < expected.size(); i++) {
          assertArrayEquals(expected.get(i), actual.get(i));
        }
      }
    }
  }

  /** A chain of products that are too small for a float ends with -0. */
  @ParameterizedTest
  @CsvSource({"9, 1, 130", "9, 3, 130", "9, 5, 20", "300, 1, 5000"})
  void keepTheSignOfZeroInPlainJavaToo(int m, int k, int n) {
    float[] tiny = new float[Math.max(m * k, Math.max(k * n, m * n))];
    Arrays.fill(tiny, 1e-30f);
    for (Function<Workers, Kernels> kernels :
        List.<Function<Workers, Kernels>>of(PlainKernels::new, Vectorization::kernels)) {
      try (Engine engine = new HostEngine(1, kernels)) {
        Matrix d = engine.allocate("d", m, k);
        Matrix w = engine.allocate("w", k, n);
        Matrix saved = engine.allocate("saved", m, n);
        Matrix e = engine.allocate("e", m, n);
        engine.write(w, Arrays.copyOf(tiny, k * n));
        engine.write(saved, Arrays.copyOf(tiny, m * n));
        float[] negative = Arrays.copyOf(tiny, m * k);
        for (int i = 0; i < negative.length; i++) {
          negative[i] = -negative[i];
        }
        engine.write(d, negative);
        engine.propagate(d, w, Activation.RELU, saved, e);
        float[] zeros = new float[m * n];
        Arrays.fill(zeros, -0f);
        assertArrayEquals(zeros, HostEngines.read(engine, e));
      }
    }
  }

  /** The JIT compiler's vectors, its scalar loops and the interpreter agree. */
  @Test
  void giveTheSameBitsCompiledAndInterpreted() {
    Products products = new Products(50, 67, 41, Activation.RELU);
    try (Engine engine = HostEngines.open(1)) {
      List<float[]> first = products.results(engine);
      for (int i = 0; i < 3000; i++) {
        products.results(engine);
      }
      List<float[]> last = products.results(engine);
      for (int i = 0; i < first.size(); i++) {
        assertArrayEquals(first.get(i), last.get(i));
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void masksHideNoNan(Activation f) {
    float[] values = {
      Float.NaN,
      0f,
      -0f,
      1f,
      -1f,
      Float.MIN_VALUE,
      -Float.MIN_VALUE,
      Float.MAX_VALUE,
      -Float.MAX_VALUE,
      Float.POSITIVE_INFINITY,
      Float.NEGATIVE_INFINITY,
      20f,
      -20f,
      1e-30f
    };
    try (Engine engine = HostEngines.open(1)) {
      int n = values.length;
      Matrix saved = engine.allocate("saved", 1, n);
      engine.write(saved, values);
      Matrix d = engine.allocate("d", 1, 1);
      engine.write(d, new float[] {1});
      Matrix w = engine.allocate("w", 1, n);
      float[] ones = new float[n];
      java.util.Arrays.fill(ones, 1);
      engine.write(w, ones);
      Matrix e = engine.allocate("e", 1, n);
      engine.propagate(d, w, f, saved, e);
      float[] slopes = HostEngines.read(engine, e);
      Matrix zero = engine.allocate("x", 1, 0);
      Matrix wide = engine.allocate("w", n, 0);
      Matrix a = engine.allocate("a", 1, n);
      Matrix kept = f.savesInput() ? e : a;
      engine.forward(zero, wide, saved, f, kept, a);
      float[] activations = HostEngines.read(engine, a);
      for (int i = 0; i < n; i++) {
        same("f'", values[i], slopes[i], f.derivative(values[i]));
        same("f", values[i], activations[i], f.apply(values[i]));
      }
    }
  }

  private static void same(String what, float of, float actual, double expected) {
    boolean same =
        Double.isNaN(expected)
            ? Float.isNaN(actual)
            : Tolerance.function(1).accepts(actual, (float) expected);
    assertTrue(same, () -> "%s(%s): %s is not %s".formatted(what, of, actual, expected));
  }
}
