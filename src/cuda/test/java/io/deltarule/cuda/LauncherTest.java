package io.deltarule.cuda;

import static io.deltarule.cuda.KernelRunner.ceil;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Engine;
import io.deltarule.engine.Matrix;
import io.deltarule.engine.Precision;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import jcuda.driver.CUdeviceptr;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Results with more lines of tiles than a grid has room for along y. */
@Tag("kernels")
@ExtendWith(FakeCard.class)
class LauncherTest {
  private static final int K = 3;

  @Test
  void moreLinesThanFitAlongY() {
    FakeDriver.configure(1, 80, 12060, 1L << 32, 1 << 20); // so many that all tiles are narrow
    int m = 65_535 * 8 + 1;
    float[] values = new float[m];
    float[] expected = new float[m];
    for (int i = 0; i < m; i++) {
      values[i] = i % 1000;
      expected[i] = 2 * values[i] + 1;
    }
    try (Engine engine = FakeCard.open(Precision.FP32, false, Products.Rule.DEFAULT)) {
      Matrix x = engine.allocate("X", m, 1);
      Matrix w = engine.allocate("W", 1, 1);
      Matrix b = engine.allocate("b", 1, 1);
      Matrix a = engine.allocate("A", m, 1);
      engine.write(x, values);
      engine.write(w, new float[] {2});
      engine.write(b, new float[] {1});
      engine.forward(x, w, b, Activation.IDENTITY, a, a);
      engine.read(a, values);
      assertArrayEquals(expected, values);
    }
  }

  /** The last of the lines along z has no work. */
  @ParameterizedTest
  @CsvSource({"gemm_wide, 128, 128, 16, 16", "gemm_narrow, 8, 32, 32, 4"})
  void linesAlongZ(String module, int rows, int columns, int x, int y) {
    int m = 4 * rows + 1;
    int n = columns + 1;
    int size = m * n;
    int right = m * K;
    int saved = right + K * n;
    int results = saved + size;
    try (KernelRunner runner = new KernelRunner(results + 2 * size)) {
      CUdeviceptr block = runner.block();
      Object[] factors = {block, 0L, block, (long) right};
      Object[] mask = {block, (long) saved};
      Object[] masked = join(factors, mask);
      for (String name : new String[] {"gemm_forward", "gemm_propagate", "gemm_gradient"}) {
        float[] values = new float[results + 2 * size];
        Random random = new Random(m);
        for (int i = 0; i < results; i++) {
          values[i] = (float) random.nextGaussian();
        }
        runner.write(values);
        for (int result : new int[] {results, results + size}) {
          Object[] to = {block, (long) result};
          Object[] arguments =
              switch (name) {
                case "gemm_forward" ->
                    join(new Object[] {m, n, K, Activation.TANH.ordinal(), 0}, masked, to, to);
                case "gemm_propagate" ->
                    join(new Object[] {m, n, K, Activation.TANH.ordinal()}, masked, to);
                default -> join(new Object[] {m, n, K}, factors, to);
              };
          int down = result == results ? ceil(m, rows) : 2;
          runner.launchLines(
              runner.kernel(module, name),
              ceil(n, columns),
              down,
              ceil(ceil(m, rows), down),
              x,
              y,
              arguments);
        }
        float[] both = runner.read();
        assertArrayEquals(
            Arrays.copyOfRange(both, results, results + size),
            Arrays.copyOfRange(both, results + size, results + 2 * size),
            name);
      }
    }
  }

  private static Object[] join(Object[]... lists) {
    return Stream.of(lists).flatMap(Arrays::stream).toArray();
  }
}
