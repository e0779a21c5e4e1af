package io.deltarule.host;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import io.deltarule.engine.Activation;
import io.deltarule.engine.Engine;
import io.deltarule.engine.Matrix;
import io.deltarule.engine.spi.Operand;
import java.lang.management.ManagementFactory;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** For a JVM with vectors: what is left out changes no bit. */
class SparseProductTest {

  /** Leaves out zeros of products however small. */
  private static Engine sparse(int threads) {
    return new HostEngine(threads, workers -> Vectorization.kernels(workers, () -> 0));
  }

  private static Engine plain() {
    return new HostEngine(1, PlainKernels::new);
  }

  /** X [m x k], W [n x k], D [m x n] of one of each product. */
  private record Operands(int m, int n, int k, float[] x, float[] w, float[] d) {

    /** A part of X and D is zero, about; half of the zeros are negative. */
    static Operands random(int m, int n, int k, double zerosOfX, double zerosOfD) {
      float[] x = HostEngines.random(m * k, 1);
      float[] d = HostEngines.random(m * n, 3);
      clear(x, zerosOfX);
      clear(d, zerosOfD);
      return new Operands(m, n, k, x, HostEngines.random(n * k, 2), d);
    }

    private static void clear(float[] values, double part) {
      Random random = new Random(values.length);
      for (int i = 0; i < values.length; i++) {
        if (random.nextDouble() < part) {
          values[i] = random.nextBoolean() ? 0f : -0f;
        }
      }
    }

    /** dW, A, Z, E and db; all matrices are slices of one, beside each other. */
    float[] results(Engine engine, Activation f) {
      float[] bias = HostEngines.random(n, 4);
      float[] below = HostEngines.random(m * k, 5);
      float[] results = new float[2 * m * n + m * k + n * k + n];
      Arrays.fill(results, 7);
      List<float[]> parts = List.of(x, w, d, bias, below, results);
      Matrix all = engine.allocate("all", 1, parts.stream().mapToInt(part -> part.length).sum());
      long at = 0;
      for (float[] part : parts) {
        if (part.length > 0) {
          engine.write(all.slice(at, 1, part.length), part);
        }
        at += part.length;
      }
      at = 0;
      Matrix inputs = all.slice(at, m, k);
      Matrix weights = all.slice(at += m * k, n, k);
      Matrix errors = all.slice(at += n * k, m, n);
      Matrix biases = all.slice(at += m * n, 1, n);
      Matrix saved = all.slice(at += n, m, k);
      long first = at += m * k;
      Matrix dw = all.slice(at, n, k);
      Matrix a = all.slice(at += n * k, m, n);
      Matrix z = f.savesInput() ? all.slice(at += m * n, m, n) : a;
      Matrix e = all.slice(first + n * k + 2L * m * n, m, k);
      Matrix db = all.slice(first + n * k + 2L * m * n + m * k, 1, n);
      engine.forward(inputs, weights, biases, f, z, a);
      engine.propagate(errors, weights, f, saved, e);
      engine.gradients(errors, inputs, dw, db);
      float[] read = HostEngines.read(engine, all);
      all.close();
      for (int i = 0, j = 0; i < 5; j += parts.get(i++).length) {
        float[] operand = Arrays.copyOfRange(read, j, j + parts.get(i).length);
        assertArrayEquals(parts.get(i), operand, "operand " + i);
      }
      return Arrays.copyOfRange(read, (int) first, read.length);
    }

    /** Compares with plain loops, which leave out nothing. */
    void check(Activation f, int... threads) {
      float[] expected;
      try (Engine engine = plain()) {
        expected = results(engine, f);
      }
      for (int count : threads) {
        try (Engine engine = sparse(count)) {
          assertArrayEquals(expected, results(engine, f));
          assertArrayEquals(expected, results(engine, f));
        }
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "64, 97, 64",
    "65, 98, 101",
    "64, 300, 130",
    "257, 129, 65",
    "131, 250, 129",
    "100, 1000, 97",
    "1027, 200, 66",
    "2050, 97, 64",
    "66, 128, 801",
    "830, 130, 128",
    "1700, 99, 111",
    "1100, 100, 801",
    "70, 1100, 100",
    "70, 100, 1100",
    "810, 1030, 97"
  })
  void haveTheBitsOfTheWholeSums(int m, int n, int k) {
    Operands.random(m, n, k, 0.6, 0.7).check(Activation.RELU, 1, 2, 5);
    Operands.random(m, n, k, 0.97, 0.1).check(Activation.GELU, 1, 3);
    Operands.random(m, n, k, 0.1, 0.97).check(Activation.IDENTITY, 1, 8);
  }

  @Test
  void ofNothingButZeros() {
    Operands.random(70, 110, 100, 1, 1).check(Activation.SIGMOID, 1, 2);
  }

  /** What an engine keeps from one shape is of no use to the next, and does no harm. */
  @Test
  void ofOneShapeAfterAnother() {
    try (Engine plain = plain();
        Engine sparse = sparse(2)) {
      int[][] shapes = {{300, 200, 150}, {64, 97, 64}, {130, 300, 820}, {99, 101, 103}};
      for (int[] shape : shapes) {
        Operands operands = Operands.random(shape[0], shape[1], shape[2], 0.7, 0.7);
        float[] expected = operands.results(plain, Activation.RELU);
        assertArrayEquals(expected, operands.results(sparse, Activation.RELU));
      }
    }
  }

  /** Zero times infinity is NaN, in whichever factor it is, and NaN is never left out. */
  @ParameterizedTest
  @CsvSource({"130, 140, 150", "300, 150, 810", "820, 130, 110"})
  void hideNothingThatIsNotFinite(int m, int n, int k) {
    List<float[]> kinds =
        List.of(
            new float[] {Float.POSITIVE_INFINITY},
            new float[] {Float.NaN},
            new float[] {Float.NEGATIVE_INFINITY, Float.NaN, Float.POSITIVE_INFINITY});
    for (int place = 0; place < 3; place++) {
      for (float[] values : kinds) {
        for (double zerosOfX : new double[] {0.7, 0.95}) { // a gradient leaves out those of either
          Operands operands = Operands.random(m, n, k, zerosOfX, 0.85);
          float[] array = List.of(operands.x, operands.w, operands.d).get(place);
          for (int i = 0; i < values.length; i++) {
            array[(int) ((i + 1) * 0x9E3779B9L % array.length)] = values[i];
          }
          operands.check(Activation.RELU, 1, 4);
        }
      }
    }
  }

  /** Where all products are too small for a float, sums are zeros of either sign. */
  @ParameterizedTest
  @CsvSource({"80, 120, 90, 0.7, 0.9", "300, 110, 820, 0.9, 0.7"})
  void keepTheSignsOfSumsThatAreTooSmall(int m, int n, int k, double zerosOfX, double zerosOfD) {
    Operands operands = Operands.random(m, n, k, zerosOfX, zerosOfD);
    for (float[] array : List.of(operands.x, operands.w, operands.d)) {
      for (int i = 0; i < array.length; i++) {
        array[i] *= 1e-30f;
      }
    }
    operands.check(Activation.IDENTITY, 1, 3);
  }

  /** In the steady state; before Java 21, C2 leaves some vectors as objects. */
  @Test
  void allocateNothing() {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long most = Runtime.version().feature() < 21 ? 100_000_000 : 10_000;
    try (Engine engine = sparse(3)) {
      Matrix x = matrix(engine, 130, 810, 0.8);
      Matrix w = matrix(engine, 150, 810, 0);
      Matrix d = matrix(engine, 130, 150, 0.6);
      Matrix b = matrix(engine, 1, 150, 0);
      Matrix a = matrix(engine, 130, 150, 0);
      Matrix e = matrix(engine, 130, 810, 0);
      Matrix dw = matrix(engine, 150, 810, 0);
      long[] ids =
          Thread.getAllStackTraces().keySet().stream()
              .filter(HostEngineTest::computes)
              .mapToLong(HostEngineTest::id)
              .toArray();
      long least = Long.MAX_VALUE;
      for (int round = 0; round < 100 && least > most; round++) {
        long before = LongStream.of(threads.getThreadAllocatedBytes(ids)).sum();
        for (int i = 0; i < 100; i++) {
          engine.forward(x, w, b, Activation.RELU, a, a);
          engine.propagate(d, w, Activation.RELU, x, e);
          engine.gradients(d, x, dw, b);
        }
        long after = LongStream.of(threads.getThreadAllocatedBytes(ids)).sum();
        least = Math.min(least, after - before);
      }
      assertTrue(least <= most, least + " bytes in 300 products");
    }
  }

  private static Matrix matrix(Engine engine, int rows, int columns, double zeros) {
    float[] values = HostEngines.random(rows * columns, 1);
    Operands.clear(values, zeros);
    Matrix matrix = engine.allocate("matrix", rows, columns);
    engine.write(matrix, values);
    return matrix;
  }

  /** Or else the tests above would compare the usual products. */
  @Test
  void areTakenWhereThereAreZeros() {
    assertEquals(List.of(true, true, true), taken(0.7, 0.6));
    assertEquals(List.of(true, false, true), taken(0.9, 0));
    assertEquals(List.of(false, true, true), taken(0, 0.9));
    assertEquals(List.of(false, false, false), taken(0.1, 0.1));
  }

  /** Whether the forward product, the error and the gradient leave out zeros. */
  private static List<Boolean> taken(double zerosOfX, double zerosOfD) {
    List<Boolean> taken = new ArrayList<>();
    Workers workers = new Workers(1);
    SparseProduct product = new SparseProduct(workers, new Scratch(1), () -> 0);
    Kernels kernels =
        (Kernels)
            Proxy.newProxyInstance(
                Kernels.class.getClassLoader(),
                new Class<?>[] {Kernels.class},
                (proxy, method, arguments) -> {
                  switch (method.getName()) {
                    case "forward" -> taken.add(take(product, arguments, 0, false, 1, true, 5));
                    case "propagate" -> taken.add(take(product, arguments, 0, false, 1, false, 4));
                    case "gradients" -> taken.add(take(product, arguments, 0, true, 1, false, 2));
                    default -> {}
                  }
                  return "";
                });
    try (workers;
        Engine engine = new HostEngine(1, any -> kernels)) {
      Operands.random(200, 300, 250, zerosOfX, zerosOfD).results(engine, Activation.RELU);
    }
    return taken;
  }

  @SuppressWarnings("unchecked")
  private static boolean take(
      SparseProduct product,
      Object[] arguments,
      int a,
      boolean transposedA,
      int b,
      boolean transposedB,
      int result) {
    return product.take(
        (Operand<HostBlock>) arguments[a],
        transposedA,
        (Operand<HostBlock>) arguments[b],
        transposedB,
        (Operand<HostBlock>) arguments[result]);
  }
}
