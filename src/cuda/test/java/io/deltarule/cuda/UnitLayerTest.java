package io.deltarule.cuda;

import static io.deltarule.cuda.KernelRunner.ceil;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Precision;
import io.deltarule.engine.Tolerance;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import jcuda.driver.CUdeviceptr;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The kernels of layers of one unit, against sums in double precision. */
@Tag("kernels")
class UnitLayerTest {

  static Stream<Arguments> shapes() {
    return Stream.of(
        Arguments.of(1, 1, Activation.RELU),
        Arguments.of(3, 131, Activation.IDENTITY),
        Arguments.of(256, 600, Activation.RELU),
        Arguments.of(257, 36, Activation.RELU),
        Arguments.of(513, 33, Activation.TANH),
        Arguments.of(1100, 34, Activation.RELU),
        Arguments.of(700, 40, Activation.LEAKY_RELU));
  }

  /** Of a layer with n inputs for m rows; X is the activation of the layer below. */
  @ParameterizedTest
  @MethodSource("shapes")
  void agreesWithSumsInDoublePrecision(int m, int n, Activation f) {
    for (boolean round : new boolean[] {false, true}) {
      try (Layer layer = new Layer(m, n, f, round)) {
        layer.forward();
        layer.backward();
      }
    }
  }

  /** Where everything lies, in floats; NaN where nothing has been written yet. */
  private static final class Layer implements AutoCloseable {
    private final int m;
    private final int n;
    private final Activation f;
    private final boolean round;
    private final int chunks;
    private final int pitch;
    private final int x;
    private final int half;
    private final int w;
    private final int b;
    private final int z;
    private final int zFromHalf;
    private final int d;
    private final int[] e;
    private final int[] sums;
    private final int[] dw;
    private final int[] db;
    private final int partial;
    private final int counters;
    private final float[] values;
    private final KernelRunner runner;
    private int end;

    Layer(int m, int n, Activation f, boolean round) {
      this.m = m;
      this.n = n;
      this.f = f;
      this.round = round;
      chunks = Kernels.chunks(m, n);
      pitch = Copies.pitch(n);
      x = next(m * n);
      half = next(m * pitch / 2);
      w = next(n);
      b = next(1);
      z = next(m);
      zFromHalf = next(m);
      d = next(m);
      e = places(m * n);
      sums = places(n);
      dw = places(n);
      db = places(1);
      partial = next(chunks * (2 * n + 1));
      counters = next(ceil(pitch, 16));
      values = new float[end];
      Arrays.fill(values, Float.NaN);
      Random random = new Random(m + n);
      fill(random, x, m * n);
      fill(random, w, n);
      fill(random, b, 1);
      fill(random, d, m);
      Arrays.fill(values, counters, end, 0);
      runner = new KernelRunner(end);
      runner.write(values);
      runner.launch(
          runner.kernel("copies", "round_bf16"),
          ceil(m * pitch, 4 * 256),
          1,
          256,
          1,
          m,
          n,
          m,
          pitch,
          runner.block(),
          (long) x,
          runner.from(half));
    }

    /** Each starts at 16 bytes. */
    private int next(int floats) {
      int place = end;
      end += ceil(floats, 4) * 4;
      return place;
    }

    /** By all at once, and by parts; from floats, and from a copy in bf16. */
    private int[] places(int floats) {
      return new int[] {next(floats), next(floats), next(floats), next(floats)};
    }

    private void fill(Random random, int place, int floats) {
      for (int i = 0; i < floats; i++) {
        values[place + i] = (float) random.nextGaussian();
      }
    }

    /** An input as the sums have it. */
    private double input(int row, int column) {
      float number = values[x + row * n + column];
      return round ? Float.intBitsToFloat(rounded(number) << 16) : number;
    }

    /** The nearest number in bf16, of two the even one. */
    private static int rounded(float number) {
      int bits = Float.floatToRawIntBits(number);
      return bits + 0x7fff + (bits >>> 16 & 1) >>> 16;
    }

    void forward() {
      forward(new CUdeviceptr(), z);
      forward(round ? runner.from(half) : new CUdeviceptr(), zFromHalf);
      float[] results = runner.read();
      for (int i = 0; i < m; i++) {
        double sum = values[b];
        double scale = Math.abs(sum);
        for (int j = 0; j < n; j++) {
          double term = input(i, j) * values[w + j];
          sum += term;
          scale = Math.max(scale, Math.abs(term));
        }
        assertNear(sum, results[z + i], n + 1, scale, "z " + i);
      }
      assertSame(results, z, zFromHalf, m);
    }

    private void forward(CUdeviceptr copy, int to) {
      runner.launch(
          runner.kernel("unit_forward", "unit_forward"),
          ceil(m, 4),
          1,
          128,
          1,
          m,
          n,
          Activation.IDENTITY.ordinal(),
          0,
          round ? 1 : 0,
          pitch,
          runner.block(),
          (long) x,
          copy,
          runner.block(),
          (long) w,
          runner.block(),
          (long) b,
          runner.block(),
          (long) to,
          runner.block(),
          (long) to);
    }

    void backward() {
      CUdeviceptr none = new CUdeviceptr();
      CUdeviceptr copy = round ? runner.from(half) : none;
      boolean masksByCopy = f == Activation.RELU;
      backward(f, true, none, true, true, 0);
      backward(f, true, none, true, false, 1);
      backward(Activation.IDENTITY, false, none, false, true, 1);
      backward(f, true, masksByCopy ? copy : none, true, false, 2);
      backward(Activation.IDENTITY, false, copy, false, true, 2);
      backward(f, true, masksByCopy ? copy : none, true, true, 3);
      float[] results = runner.read();
      for (int j = 0; j < n; j++) {
        double sum = 0;
        double scale = 0;
        for (int i = 0; i < m; i++) {
          double saved = values[x + i * n + j];
          double product = (double) values[d + i] * values[w + j];
          double error = product * derivative(saved);
          double size = Math.abs(product) * (1 + saved * saved); // 1 - saved^2 may cancel
          assertNear(error, results[e[0] + i * n + j], 1, size, "e " + i + ", " + j);
          sum += error;
          scale = Math.max(scale, size);
        }
        assertNear(sum, results[sums[0] + j], m, scale, "sums " + j);
      }
      for (int j = 0; j < n; j++) {
        double sum = 0;
        double scale = 0;
        for (int i = 0; i < m; i++) {
          double term = values[d + i] * input(i, j);
          sum += term;
          scale = Math.max(scale, Math.abs(term));
        }
        assertNear(sum, results[dw[0] + j], m, scale, "dw " + j);
      }
      double sum = 0;
      double scale = 0;
      for (int i = 0; i < m; i++) {
        sum += values[d + i];
        scale = Math.max(scale, Math.abs(values[d + i]));
      }
      assertNear(sum, results[db[0]], m, scale, "db");
      for (int variant = 1; variant < e.length; variant++) {
        assertSame(results, e[0], e[variant], m * n);
        assertSame(results, sums[0], sums[variant], n);
        assertSame(results, dw[0], dw[variant], n);
        assertSame(results, db[0], db[variant], 1);
      }
    }

    /** f', from what was saved. */
    private double derivative(double saved) {
      return switch (f) {
        case RELU -> saved > 0 ? 1 : 0;
        case LEAKY_RELU -> saved > 0 ? 1 : 0.01;
        case TANH -> 1 - saved * saved;
        case IDENTITY -> 1;
        default -> throw new AssertionError(f);
      };
    }

    private void backward(
        Activation activation,
        boolean propagates,
        CUdeviceptr copy,
        boolean adds,
        boolean gradients,
        int variant) {
      CUdeviceptr none = new CUdeviceptr();
      boolean tall = Kernels.tall(m);
      runner.launch(
          runner.kernel(tall ? "unit_backward" : "unit_backward_low", "unit_backward"),
          ceil(n, tall ? 32 : 16),
          chunks,
          16,
          tall ? 8 : 32,
          m,
          n,
          activation.ordinal(),
          1,
          round ? 1 : 0,
          pitch,
          runner.block(),
          (long) d,
          propagates ? runner.from(w) : none,
          runner.block(),
          (long) x,
          copy,
          propagates ? runner.from(e[variant]) : none,
          none,
          chunks == 1 ? none : runner.from(partial),
          runner.from(counters),
          adds ? runner.from(sums[variant]) : none,
          gradients ? runner.from(dw[variant]) : none,
          gradients ? runner.from(db[variant]) : none);
    }

    private static void assertNear(
        double expected, float actual, long terms, double scale, String name) {
      Tolerance tolerance = Tolerance.sum(Precision.FP32, terms, scale);
      double allowed = tolerance.absolute() + tolerance.relative() * Math.abs(expected);
      assertTrue(
          Math.abs(expected - actual) <= allowed,
          () -> name + ": " + actual + " instead of " + expected + ", allowed is " + allowed);
    }

    private static void assertSame(float[] results, int expected, int actual, int size) {
      assertEquals(
          Arrays.toString(Arrays.copyOfRange(results, expected, expected + size)),
          Arrays.toString(Arrays.copyOfRange(results, actual, actual + size)));
    }

    @Override
    public void close() {
      runner.close();
    }
  }
}
