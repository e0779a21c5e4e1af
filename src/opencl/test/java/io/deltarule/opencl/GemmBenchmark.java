package io.deltarule.opencl;

import static org.jocl.CL.clEnqueueNDRangeKernel;
import static org.jocl.CL.clSetKernelArg;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Matrix;
import io.deltarule.engine.spi.Operand;
import java.util.Arrays;
import java.util.Locale;
import java.util.Random;
import org.jocl.Pointer;
import org.jocl.Sizeof;
import org.jocl.blast.CLBlast;
import org.jocl.blast.CLBlastLayout;
import org.jocl.blast.CLBlastTranspose;
import org.jocl.cl_kernel;
import org.jocl.cl_mem;
import org.jocl.cl_program;

/**
 * The project's matrix products against CLBlast's and against a naive kernel, in one run on one
 * queue, by turns. The project's include bias and activation, mask, and column sums. Arguments:
 * sizes, or none for 512, 1024 and 2048. Run it with ci/gemm-bench.
 */
final class GemmBenchmark {
  private static final String NAIVE =
      """
      kernel void naive(int ta, int tb, int n, global const float *a, global const float *b, global float *c) {
        int j = get_global_id(0), i = get_global_id(1);
        float sum = 0;
        for (int p = 0; p < n; p++) {
          sum += (ta ? a[(long)p * n + i] : a[(long)i * n + p]) * (tb ? b[(long)j * n + p] : b[(long)p * n + j]);
        }
        c[(long)i * n + j] = sum;
      }
      """;

  private static final int ROUNDS = 7;

  private final Device device;
  private final OpenClEngine engine;
  private final cl_kernel naive;

  private GemmBenchmark(Device device, OpenClEngine engine, cl_kernel naive) {
    this.device = device;
    this.engine = engine;
    this.naive = naive;
  }

  /**
   * Runs it; exits with 1 if a product is slower than CLBlast's or than thrice the naive one.
   *
   * @param arguments sizes
   */
  public static void main(String[] arguments) {
    Device device = Devices.find().choose(System.getProperty("device", ""));
    CacheFolder cache = CacheFolder.ofUser();
    Tuning tuning = Tuning.load(cache, device);
    System.out.println(device);
    tuning.tiles().forEach(System.out::println);
    System.out.printf(
        "%-10s %6s %12s %12s %12s %10s %10s   (GFLOP/s, fastest of %d by turns)%n",
        "product", "size", "naive", "CLBlast", "deltarule", "/CLBlast", "/naive", ROUNDS);
    CLBlast.setExceptionsEnabled(true);
    boolean fast = true;
    try (OpenClEngine engine = new OpenClEngine(device, tuning, cache)) {
      cl_program program = Cl.program(engine.context(), NAIVE);
      Cl.build(program, device, "");
      cl_kernel naive = Cl.kernel(program, "naive");
      GemmBenchmark benchmark = new GemmBenchmark(device, engine, naive);
      int[] sizes =
          arguments.length == 0
              ? new int[] {512, 1024, 2048}
              : Arrays.stream(arguments).mapToInt(Integer::parseInt).toArray();
      benchmark.compare(64); // what is compiled late
      for (int size : sizes) {
        fast &= benchmark.compare(size);
      }
      Cl.release(naive);
      Cl.release(program);
    }
    System.exit(fast ? 0 : 1);
  }

  /** The three products of one size. */
  private boolean compare(int n) {
    try (Matrix left = engine.allocate("left", n, n);
        Matrix right = engine.allocate("right", n, n);
        Matrix result = engine.allocate("result", n, n);
        Matrix bias = engine.allocate("bias", 1, n)) {
      Random random = new Random(1);
      float[] values = new float[n * n];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) random.nextGaussian();
      }
      engine.write(left, values);
      engine.write(right, values);
      boolean fast =
          compare(
              "forward",
              n,
              left,
              right,
              result,
              false,
              true,
              () -> engine.forward(left, right, bias, Activation.RELU, result, result));
      fast &=
          compare(
              "propagate",
              n,
              left,
              right,
              result,
              false,
              false,
              () -> engine.propagate(left, right, Activation.RELU, left, result));
      fast &=
          compare(
              "gradients",
              n,
              left,
              right,
              result,
              true,
              false,
              () -> engine.gradients(left, right, result, bias));
      return fast;
    }
  }

  private boolean compare(
      String name,
      int n,
      Matrix left,
      Matrix right,
      Matrix result,
      boolean ta,
      boolean tb,
      Runnable product) {
    double[] fastest = {1e9, 1e9, 1e9};
    Runnable[] all = {
      () -> naive(ta, tb, n, memory(left), memory(right), memory(result)),
      () ->
          CLBlast.CLBlastSgemm(
              CLBlastLayout.CLBlastLayoutRowMajor,
              ta ? CLBlastTranspose.CLBlastTransposeYes : CLBlastTranspose.CLBlastTransposeNo,
              tb ? CLBlastTranspose.CLBlastTransposeYes : CLBlastTranspose.CLBlastTransposeNo,
              n,
              n,
              n,
              1,
              memory(left),
              0,
              n,
              memory(right),
              0,
              n,
              0,
              memory(result),
              0,
              n,
              engine.queue(),
              null),
      product
    };
    for (int round = 0; round <= ROUNDS; round++) {
      for (int i = 0; i < all.length; i++) {
        if (i == 0 && round != 1) {
          continue; // slow enough to be measured by one, as it has been compiled
        }
        long start = System.nanoTime();
        all[i].run();
        engine.finish();
        if (round > 0) {
          fastest[i] = Math.min(fastest[i], (System.nanoTime() - start) * 1e-9);
        }
      }
    }
    double operations = 2e-9 * n * n * n;
    System.out.printf(
        Locale.ROOT,
        "%-10s %6d %12.1f %12.1f %12.1f %10.2f %10.2f%n",
        name,
        n,
        operations / fastest[0],
        operations / fastest[1],
        operations / fastest[2],
        fastest[1] / fastest[2],
        fastest[0] / fastest[2]);
    return fastest[2] <= fastest[1] && 3 * fastest[2] <= fastest[0];
  }

  private void naive(boolean ta, boolean tb, int n, cl_mem a, cl_mem b, cl_mem c) {
    int[] numbers = {ta ? 1 : 0, tb ? 1 : 0, n};
    for (int i = 0; i < 3; i++) {
      clSetKernelArg(naive, i, Sizeof.cl_int, Pointer.to(new int[] {numbers[i]}));
    }
    clSetKernelArg(naive, 3, Sizeof.cl_mem, Pointer.to(a));
    clSetKernelArg(naive, 4, Sizeof.cl_mem, Pointer.to(b));
    clSetKernelArg(naive, 5, Sizeof.cl_mem, Pointer.to(c));
    Cl.check(
        clEnqueueNDRangeKernel(
            engine.queue(), naive, 2, null, new long[] {n, n}, new long[] {16, 16}, 0, null, null),
        "clEnqueueNDRangeKernel",
        "naive",
        device);
  }

  @SuppressWarnings("unchecked") // this engine's matrices
  private static cl_mem memory(Matrix matrix) {
    return ((Operand<ClBuffer>) matrix).block().memory();
  }
}
