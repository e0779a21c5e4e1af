package io.deltarule.cuda;

import static io.deltarule.cuda.KernelRunner.ceil;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.deltarule.engine.Activation;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import jcuda.driver.CUdeviceptr;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What follows a product of cuBLAS gives the bits of the products that have it fused. */
@Tag("kernels")
class ProductEndsTest {
  private static final int K = 5;

  static Stream<Arguments> shapes() {
    return Stream.of(
        Arguments.of(1, 1, Activation.RELU),
        Arguments.of(7, 3, Activation.LEAKY_RELU),
        Arguments.of(33, 132, Activation.GELU),
        Arguments.of(9, 131, Activation.TANH),
        Arguments.of(1030, 34, Activation.SIGMOID),
        Arguments.of(513, 8, Activation.IDENTITY));
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void haveTheBitsOfTheFusedOnes(int m, int n, Activation f) {
    int size = m * n;
    int chunks = ceil(m, 512);
    int left = 0; // [m x K]
    int leftTransposed = left + m * K;
    int right = leftTransposed + m * K; // [K x n]
    int rightTransposed = right + K * n;
    int bias = rightTransposed + K * n;
    int z = bias + n;
    int a = z + size;
    int e = a + size;
    int product = e + size;
    int zOfTwo = product + size;
    int aOfTwo = zOfTwo + size;
    int masked = aOfTwo + size;
    int sums = masked + size;
    int sumsOfOne = sums + chunks * n;
    int halves = sumsOfOne + chunks * n; // of A, then of E
    try (KernelRunner runner = new KernelRunner(halves + size + 1)) {
      float[] values = new float[halves + size + 1];
      Random random = new Random(m);
      for (int p = 0; p < K; p++) {
        for (int i = 0; i < m; i++) {
          float x = i == m / 2 ? special(p) : (float) random.nextGaussian();
          values[left + i * K + p] = x;
          values[leftTransposed + p * m + i] = x;
        }
        for (int j = 0; j < n; j++) {
          float x = (float) random.nextGaussian();
          values[right + p * n + j] = x;
          values[rightTransposed + j * K + p] = x;
        }
      }
      for (int j = 0; j < n; j++) {
        values[bias + j] = (float) random.nextGaussian();
      }
      runner.write(values);
      CUdeviceptr block = runner.block();
      int keep = f.savesInput() ? 1 : 0;
      int number = f.ordinal();
      product(
          runner,
          "gemm_forward",
          m,
          n,
          K,
          number,
          keep,
          block,
          (long) left,
          block,
          (long) rightTransposed,
          block,
          (long) bias,
          block,
          (long) z,
          block,
          (long) a);
      long saved = keep == 1 ? z : a;
      product(
          runner,
          "gemm_propagate",
          m,
          n,
          K,
          number,
          block,
          (long) left,
          block,
          (long) right,
          block,
          saved,
          block,
          (long) e);

      multiply(runner, m, n, leftTransposed, right, keep == 1 ? zOfTwo : aOfTwo);
      runner.launch(
          runner.kernel("bias_activation", "bias_activation"),
          ceil(m, 8),
          ceil(n, 128),
          32,
          8,
          m,
          n,
          number,
          keep,
          block,
          (long) bias,
          block,
          (long) (keep == 1 ? zOfTwo : aOfTwo),
          block,
          (long) aOfTwo,
          runner.from(halves),
          0L);
      multiply(runner, m, n, leftTransposed, right, masked);
      runner.launch(
          runner.kernel("bias_activation", "mask"),
          ceil(size, 4 * 256),
          1,
          256,
          1,
          (long) size,
          number,
          block,
          saved,
          block,
          (long) masked,
          new CUdeviceptr(),
          0L);
      runner.launch(
          runner.kernel("column_sums", "column_sums"),
          ceil(n, 32),
          chunks,
          32,
          8,
          m,
          n,
          block,
          (long) masked,
          block,
          (long) sums);
      multiply(runner, m, n, leftTransposed, right, product);
      runner.launch(
          runner.kernel("mask_column_sums", "mask_column_sums"),
          ceil(n, 32),
          chunks,
          32,
          8,
          m,
          n,
          number,
          block,
          saved,
          block,
          (long) product,
          runner.from(halves),
          (long) size,
          block,
          (long) sumsOfOne);

      float[] results = runner.read();
      assertSame(results, a, aOfTwo, size);
      if (keep == 1) {
        assertSame(results, z, zOfTwo, size);
      }
      assertSame(results, e, masked, size);
      assertSame(results, e, product, size);
      assertSame(results, sums, sumsOfOne, chunks * n);
      for (int i = 0; i < 2 * size; i++) {
        int half = Float.floatToRawIntBits(results[halves + i / 2]) >>> 16 * (i % 2) & 0xffff;
        assertRounded(i < size ? results[a + i] : results[e + i - size], half);
      }
    }
  }

  /** Numbers that a mask or a rounding could lose. */
  private static float special(int p) {
    return new float[] {Float.NaN, 0, -1e-30f, 3e38f, Float.POSITIVE_INFINITY}[p];
  }

  private static void product(KernelRunner runner, String name, Object... arguments) {
    int m = (Integer) arguments[0];
    int n = (Integer) arguments[1];
    runner.launch(runner.kernel("gemm_narrow", name), ceil(n, 32), ceil(m, 8), 32, 4, arguments);
  }

  /** The product alone, as a gradient of the transposed left factor. */
  private static void multiply(
      KernelRunner runner, int m, int n, int leftTransposed, int right, int result) {
    CUdeviceptr block = runner.block();
    product(
        runner,
        "gemm_gradient",
        m,
        n,
        K,
        block,
        (long) leftTransposed,
        block,
        (long) right,
        block,
        (long) result);
  }

  private static void assertSame(float[] results, int expected, int actual, int size) {
    assertEquals(
        Arrays.toString(Arrays.copyOfRange(results, expected, expected + size)),
        Arrays.toString(Arrays.copyOfRange(results, actual, actual + size)));
  }

  /** The nearest of the two bf16 numbers around x, the even one if both are as near. */
  private static void assertRounded(float x, int half) {
    float rounded = Float.intBitsToFloat(half << 16);
    if (Float.isNaN(x) || Float.isInfinite(x)) {
      assertEquals(x, rounded);
      return;
    }
    int bits = Float.floatToRawIntBits(x);
    double below = Float.intBitsToFloat(bits & 0xffff0000);
    float aboveAsFloat = Float.intBitsToFloat((bits & 0xffff0000) + 0x10000);
    double above = Float.isInfinite(aboveAsFloat) ? Math.copySign(0x1p128, x) : aboveAsFloat;
    double toBelow = Math.abs(x - below);
    double toAbove = Math.abs(above - x);
    boolean evenBelow = (bits >>> 16 & 1) == 0;
    boolean takesBelow = toBelow < toAbove || toBelow == toAbove && evenBelow;
    assertEquals(takesBelow ? (float) below : aboveAsFloat, rounded, "bf16 of " + x);
  }
}
