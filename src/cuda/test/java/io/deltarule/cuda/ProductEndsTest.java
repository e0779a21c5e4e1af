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
  static Stream<Arguments> shapes() {
    return Stream.of(
        Arguments.of(1, 1, Activation.RELU),
        Arguments.of(7, 3, Activation.LEAKY_RELU),
        Arguments.of(33, 132, Activation.GELU),
        Arguments.of(9, 131, Activation.TANH),
        Arguments.of(1030, 34, Activation.SIGMOID),
        Arguments.of(66, 34, Activation.RELU),
        Arguments.of(600, 8, Activation.LEAKY_RELU),
        Arguments.of(513, 8, Activation.IDENTITY));
  }

  /** Nothing, a row of the left factor, or five columns of the right one. */
  private enum Special {
    NOTHING,
    ROW,
    COLUMNS
  }

  /** Where matrices lie in the block; each starts at 16 bytes, if the one before it is not odd. */
  private static final class Places {
    private int end;

    int next(int floats) {
      int place = end;
      end += ceil(floats, 4) * 4;
      return place;
    }
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void haveTheBitsOfTheFusedOnes(int m, int n, Activation f) {
    for (int k : new int[] {1, 5}) {
      for (Special special : Special.values()) {
        haveTheBitsOfTheFusedOnes(m, n, k, f, special);
      }
    }
  }

  /**
   * A product summed over k.
   *
   * @param special what has numbers that a mask, a rounding or a sum could lose
   */
  private void haveTheBitsOfTheFusedOnes(int m, int n, int k, Activation f, Special special) {
    int size = m * n;
    int chunks = Kernels.chunks(m, n);
    int pitch = Copies.pitch(n);
    boolean tall = Kernels.tall(m);
    int groups = ceil(pitch, tall ? 32 : 16);
    Places places = new Places();
    int left = places.next(m * k); // [m x k]
    int leftTransposed = places.next(m * k);
    int right = places.next(k * n); // [k x n]
    int rightTransposed = places.next(k * n);
    int rightInPitch = places.next(k * pitch);
    int bias = places.next(n);
    int z = places.next(size);
    int a = places.next(size);
    int e = places.next(size);
    int sums = places.next(chunks * n);
    int db = places.next(n);
    int zOfTwo = places.next(size);
    int aOfTwo = places.next(size);
    int halfOfA = places.next(m * pitch / 2);
    int product = places.next(m * pitch);
    int halfAlone = places.next(m * pitch / 2);
    int masked = places.next(size);
    int counters = places.next(groups);
    int[] errors = new int[4]; // by mask_column_sums and unit_backward, from floats and from a half
    int[] halfErrors = new int[4];
    int[] biasGradients = new int[4];
    for (int i = 0; i < 4; i++) {
      errors[i] = places.next(size);
      halfErrors[i] = places.next(m * pitch / 2);
      biasGradients[i] = places.next(n);
    }
    try (KernelRunner runner = new KernelRunner(places.end)) {
      float[] values = new float[places.end];
      Arrays.fill(values, Float.intBitsToFloat(0x7fc17fc1)); // NaN, and two NaN in bf16
      Arrays.fill(values, counters, counters + groups, 0);
      Random random = new Random(m);
      for (int p = 0; p < k; p++) {
        for (int i = 0; i < m; i++) {
          float number = (float) random.nextGaussian();
          float x = special == Special.COLUMNS ? Math.abs(number) : number; // or inf - inf is NaN
          if (special == Special.ROW && i == m / 2) {
            x = special(m + p);
          }
          values[left + i * k + p] = x;
          values[leftTransposed + p * m + i] = x;
        }
        for (int j = 0; j < n; j++) {
          float x =
              special == Special.COLUMNS && j >= n / 2 && j < n / 2 + 5
                  ? special(j - n / 2)
                  : (float) random.nextGaussian();
          values[right + p * n + j] = x;
          values[rightTransposed + j * k + p] = x;
          values[rightInPitch + p * pitch + j] = x;
        }
      }
      for (int j = 0; j < n; j++) {
        values[bias + j] = (float) random.nextGaussian();
      }
      runner.write(values);
      int keepZ = f.savesInput() ? 1 : 0;
      int number = f.ordinal();
      Matrix x = new Matrix(runner, left);
      Matrix w = new Matrix(runner, right);
      Matrix b = new Matrix(runner, bias);
      Matrix saved = new Matrix(runner, keepZ == 1 ? z : a);
      CUdeviceptr sumsOfChunks = runner.from(sums);
      CUdeviceptr counted = runner.from(counters);
      product(
          runner,
          "gemm_forward",
          m,
          n,
          arguments(
              m,
              n,
              k,
              number,
              keepZ,
              x,
              new Matrix(runner, rightTransposed),
              b,
              new Matrix(runner, z),
              new Matrix(runner, a)));
      product(
          runner,
          "gemm_propagate",
          m,
          n,
          arguments(m, n, k, number, x, w, saved, new Matrix(runner, e)));
      String low = tall ? "" : "_low";
      int across = 16;
      int lanes = tall ? 8 : 32;
      runner.launch(
          runner.kernel("mask_column_sums" + low, "sum_columns"),
          ceil(n, tall ? 32 : 16),
          chunks,
          across,
          lanes,
          arguments(m, n, new Matrix(runner, e), sumsOfChunks, counted, new Matrix(runner, db)));

      int inPlace = keepZ == 1 ? zOfTwo : aOfTwo;
      multiply(runner, m, n, k, leftTransposed, right, inPlace);
      biasActivation(runner, m, n, f, 1, inPlace, n, b, zOfTwo, aOfTwo, halfOfA);
      multiply(runner, m, pitch, k, leftTransposed, rightInPitch, product);
      biasActivation(runner, m, n, f, 0, product, pitch, b, zOfTwo, aOfTwo, halfAlone);

      multiply(runner, m, n, k, leftTransposed, right, masked);
      runner.launch(
          runner.kernel("bias_activation", "mask"),
          ceil(size, 4 * 256),
          1,
          256,
          1,
          arguments((long) size, number, saved, new Matrix(runner, masked)));

      boolean signs = f == Activation.RELU;
      for (int i = 0; i < 4; i++) {
        boolean ofUnit = k == 1 && i % 2 == 1;
        boolean inPitch = i >= 2;
        CUdeviceptr savedHalf = i >= 2 && signs ? runner.from(halfOfA) : new CUdeviceptr();
        Matrix to = new Matrix(runner, errors[i]);
        CUdeviceptr half = runner.from(halfErrors[i]);
        Matrix gradient = new Matrix(runner, biasGradients[i]);
        if (!ofUnit && !inPitch) {
          multiply(runner, m, n, k, leftTransposed, right, errors[i]);
        }
        if (ofUnit) {
          runner.launch(
              runner.kernel("unit_backward" + low, "unit_backward"),
              groups,
              chunks,
              across,
              lanes,
              arguments(
                  m,
                  n,
                  number,
                  1,
                  0,
                  pitch,
                  x,
                  runner.from(right),
                  saved,
                  savedHalf,
                  runner.from(errors[i]),
                  half,
                  sumsOfChunks,
                  counted,
                  runner.from(biasGradients[i]),
                  new CUdeviceptr(),
                  new CUdeviceptr()));
        } else {
          runner.launch(
              runner.kernel("mask_column_sums" + low, "mask_column_sums"),
              groups,
              chunks,
              across,
              lanes,
              arguments(
                  m,
                  n,
                  number,
                  1,
                  pitch,
                  runner.from(inPitch ? product : errors[i]),
                  inPitch ? pitch : n,
                  saved,
                  savedHalf,
                  to,
                  half,
                  sumsOfChunks,
                  counted,
                  gradient));
        }
      }

      float[] results = runner.read();
      assertSame(results, a, aOfTwo, size);
      if (keepZ == 1) {
        assertSame(results, z, zOfTwo, size);
      }
      assertRounded(results, a, halfOfA, m, n);
      assertRounded(results, a, halfAlone, m, n);
      assertSame(results, e, masked, size);
      float[] expectedSums =
          columnSums(Arrays.copyOfRange(results, e, e + size), m, n, chunks, lanes);
      assertEquals(
          Arrays.toString(expectedSums), Arrays.toString(Arrays.copyOfRange(results, db, db + n)));
      for (int i = 0; i < 4; i++) {
        assertSame(results, e, errors[i], size);
        assertSame(results, db, biasGradients[i], n);
        assertRounded(results, e, halfErrors[i], m, n);
      }
      for (int i = 0; i < groups; i++) {
        assertEquals(0, Float.floatToRawIntBits(results[counters + i]));
      }
    }
  }

  /** In the order of sum_columns: each chunk by so many lanes, and the chunks likewise. */
  private static float[] columnSums(float[] matrix, int m, int n, int chunks, int lanes) {
    int rows = ceil(m, chunks);
    float[] sums = new float[n];
    for (int j = 0; j < n; j++) {
      float[] ofChunks = new float[chunks];
      for (int chunk = 0; chunk < chunks; chunk++) {
        int from = Math.min(m, chunk * rows);
        float[] column = new float[Math.min(m, from + rows) - from];
        for (int i = 0; i < column.length; i++) {
          column[i] = matrix[(from + i) * n + j];
        }
        ofChunks[chunk] = byLanes(column, lanes);
      }
      sums[j] = chunks == 1 ? ofChunks[0] : byLanes(ofChunks, lanes);
    }
    return sums;
  }

  private static float byLanes(float[] numbers, int lanes) {
    float[] sums = new float[lanes];
    for (int i = 0; i < numbers.length; i++) {
      sums[i % lanes] += numbers[i];
    }
    for (int step = lanes / 2; step > 0; step /= 2) {
      for (int lane = 0; lane < step; lane++) {
        sums[lane] += sums[lane + step];
      }
    }
    return sums[0];
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void copiesAreRoundedTurnedAndPaddedWithZeros(int m, int n) {
    int pitch = Copies.pitch(n);
    Places places = new Places();
    int x = places.next(m * n);
    int turned = places.next(m * n);
    int turnedInLines = places.next(m * n);
    int half = places.next(Copies.pitch(m) * pitch / 2);
    int inPitch = places.next(m * pitch);
    int cropped = places.next(m * n);
    try (KernelRunner runner = new KernelRunner(places.end)) {
      float[] values = new float[places.end];
      Arrays.fill(values, Float.intBitsToFloat(0x7fc17fc1));
      float[] expected = new float[m * n]; // X'
      Random random = new Random(n);
      for (int i = 0; i < m; i++) {
        for (int j = 0; j < n; j++) {
          float number = i == m / 2 ? special(j) : (float) random.nextGaussian();
          values[x + i * n + j] = number;
          values[inPitch + i * pitch + j] = number;
          expected[j * m + i] = number;
        }
      }
      runner.write(values);
      runner.launch(
          runner.kernel("copies", "round_bf16"),
          ceil(Copies.pitch(m) * pitch, 4 * 256),
          1,
          256,
          1,
          arguments(m, n, Copies.pitch(m), pitch, new Matrix(runner, x), runner.from(half)));
      runner.launch(
          runner.kernel("copies", "turn"),
          ceil(m, 32),
          ceil(n, 32),
          32,
          8,
          arguments(m, n, new Matrix(runner, x), runner.from(turned)));
      runner.launchLines(
          runner.kernel("copies", "turn"),
          ceil(m, 32),
          2,
          ceil(n, 64),
          32,
          8,
          arguments(m, n, new Matrix(runner, x), runner.from(turnedInLines)));
      runner.launch(
          runner.kernel("copies", "crop"),
          ceil(m * n, 4 * 256),
          1,
          256,
          1,
          arguments(m, n, pitch, runner.from(inPitch), new Matrix(runner, cropped)));
      float[] results = runner.read();
      assertEquals(
          Arrays.toString(expected),
          Arrays.toString(Arrays.copyOfRange(results, turned, turned + m * n)));
      assertSame(results, turned, turnedInLines, m * n);
      assertSame(results, x, cropped, m * n);
      assertRounded(results, x, half, m, n);
      for (int i = m * pitch / 2; i < Copies.pitch(m) * pitch / 2; i++) {
        assertEquals(0, Float.floatToRawIntBits(results[half + i]));
      }
    }
  }

  /** A matrix as an argument: the block, and where in it. */
  private record Matrix(KernelRunner runner, int place) {}

  private static Object[] arguments(Object... arguments) {
    return Stream.of(arguments)
        .flatMap(
            argument ->
                argument instanceof Matrix matrix
                    ? Stream.of(matrix.runner.block(), (long) matrix.place)
                    : argument instanceof Object[] several
                        ? Stream.of(several)
                        : Stream.of(argument))
        .toArray();
  }

  private static void biasActivation(
      KernelRunner runner,
      int m,
      int n,
      Activation f,
      int keepA,
      int product,
      int pitchOfProduct,
      Matrix b,
      int z,
      int a,
      int half) {
    int pitch = Copies.pitch(n);
    runner.launch(
        runner.kernel("bias_activation", "bias_activation"),
        (int) Kernels.blocksOfRows(m, pitch),
        1,
        256,
        1,
        arguments(
            m,
            n,
            f.ordinal(),
            f.savesInput() ? 1 : 0,
            keepA,
            pitch,
            runner.from(product),
            pitchOfProduct,
            b,
            new Matrix(runner, z),
            new Matrix(runner, a),
            runner.from(half)));
  }

  /** Numbers that a mask or a rounding could lose. */
  private static float special(int p) {
    return new float[] {Float.NaN, 0, -1e-41f, 3e38f, Float.POSITIVE_INFINITY}[p % 5];
  }

  private static void product(KernelRunner runner, String name, int m, int n, Object[] arguments) {
    runner.launch(runner.kernel("gemm_narrow", name), ceil(n, 32), ceil(m, 8), 32, 4, arguments);
  }

  /** The product alone, as a gradient of the transposed left factor. */
  private static void multiply(
      KernelRunner runner, int m, int n, int k, int leftTransposed, int right, int result) {
    product(
        runner,
        "gemm_gradient",
        m,
        n,
        arguments(
            m,
            n,
            k,
            new Matrix(runner, leftTransposed),
            new Matrix(runner, right),
            new Matrix(runner, result)));
  }

  private static void assertSame(float[] results, int expected, int actual, int size) {
    assertEquals(
        Arrays.toString(Arrays.copyOfRange(results, expected, expected + size)),
        Arrays.toString(Arrays.copyOfRange(results, actual, actual + size)));
  }

  /** A copy in bf16 of a matrix [m x n]; beyond its columns are zeros. */
  private static void assertRounded(float[] results, int matrix, int half, int m, int n) {
    int pitch = Copies.pitch(n);
    for (int i = 0; i < m * pitch; i++) {
      int bits = Float.floatToRawIntBits(results[half + i / 2]) >>> 16 * (i % 2) & 0xffff;
      int column = i % pitch;
      assertRounded(column < n ? results[matrix + i / pitch * n + column] : 0, bits);
    }
  }

  /**
   * The nearest of the two bf16 numbers around x, the even one if both are as near; 0 for 0 alone.
   */
  private static void assertRounded(float x, int half) {
    float rounded = Float.intBitsToFloat(half << 16);
    if (Float.isNaN(x) || Float.isInfinite(x)) {
      assertEquals(x, rounded);
      return;
    }
    if (x != 0 && Math.abs(x) < 0x1p-133f) { // does not become 0
      assertEquals(Math.copySign(0x1p-133f, x), rounded);
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
