package io.deltarule.host;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Engine;
import io.deltarule.engine.Matrix;
import io.deltarule.engine.spi.Operand;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
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

    /** A, E, dW and db. */
    List<float[]> results(Engine engine, Activation f) {
      List<Matrix> all = new ArrayList<>();
      Matrix inputs = matrix(engine, m, k, x, all);
      Matrix weights = matrix(engine, n, k, w, all);
      Matrix errors = matrix(engine, m, n, d, all);
      Matrix bias = matrix(engine, 1, n, HostEngines.random(n, 4), all);
      Matrix below = matrix(engine, m, k, HostEngines.random(m * k, 5), all);
      Matrix a = matrix(engine, m, n, null, all);
      Matrix z = f.savesInput() ? matrix(engine, m, n, null, all) : a;
      Matrix e = matrix(engine, m, k, null, all);
      Matrix dw = matrix(engine, n, k, null, all);
      Matrix db = matrix(engine, 1, n, null, all);
      engine.forward(inputs, weights, bias, f, z, a);
      engine.propagate(errors, weights, f, below, e);
      engine.gradients(errors, inputs, dw, db);
      List<float[]> results = new ArrayList<>();
      for (Matrix result : List.of(a, e, dw, db)) {
        results.add(HostEngines.read(engine, result));
      }
      all.forEach(Matrix::close);
      return results;
    }

    private static Matrix matrix(
        Engine engine, int rows, int columns, float[] values, List<Matrix> all) {
      Matrix matrix = engine.allocate("m" + all.size(), rows, columns);
      if (values != null) {
        engine.write(matrix, values);
      }
      all.add(matrix);
      return matrix;
    }

    /** Compares with plain loops, which leave out nothing. */
    void check(Activation f, int... threads) {
      List<float[]> expected;
      try (Engine engine = plain()) {
        expected = results(engine, f);
      }
      for (int count : threads) {
        try (Engine engine = sparse(count)) {
          for (int repetition = 0; repetition < 2; repetition++) {
            List<float[]> actual = results(engine, f);
            for (int i = 0; i < expected.size(); i++) {
              assertArrayEquals(expected.get(i), actual.get(i), "result " + i);
            }
          }
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
    "1700, 99, 111"
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

  /** Zero times infinity is NaN, in whichever factor it is, and NaN is never left out. */
  @Test
  void hideNothingThatIsNotFinite() {
    float[] values = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY};
    for (int place = 0; place < 3; place++) {
      for (int count : new int[] {1, 40}) {
        Operands operands = Operands.random(130, 140, 150, 0.9, 0.9);
        float[] array = List.of(operands.x, operands.w, operands.d).get(place);
        for (int i = 0; i < count; i++) {
          array[(int) (i * 0x9E3779B9L % array.length)] = values[i % values.length];
        }
        array[array.length - 1] = Float.NaN;
        operands.check(Activation.RELU, 1, 4);
      }
    }
  }

  /** Where all products are too small for a float, sums are zeros of either sign. */
  @Test
  void keepTheSignsOfSumsThatAreTooSmall() {
    Operands operands = Operands.random(80, 120, 90, 0.8, 0.8);
    for (float[] array : List.of(operands.x, operands.w, operands.d)) {
      for (int i = 0; i < array.length; i++) {
        array[i] *= 1e-30f;
      }
    }
    operands.check(Activation.IDENTITY, 1, 3);
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
