package io.deltarule.cuda;

import static jcuda.driver.JCudaDriver.cuModuleGetFunction;
import static jcuda.driver.JCudaDriver.cuModuleLoadData;
import static jcuda.driver.JCudaDriver.cuModuleUnload;

import io.deltarule.engine.UpdateRule;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import jcuda.driver.CUfunction;
import jcuda.driver.CUmodule;

/**
 * The kernels of an engine, loaded into its context from the PTX in the jar. The numbers below are
 * those that ci/ptx compiles them with. Owns the modules.
 */
final class Kernels implements AutoCloseable {

  /** WG: the threads of a block in all kernels of which nothing else is said. */
  private static final int THREADS = 256;

  /** WG of the output errors, as in stack_step: the order of the loss's sum. */
  static final int THREADS_OF_ERROR = 128;

  private static final int VECTOR = 4; // VW: the neighbours that one thread takes
  private static final int COLUMNS = 32; // of a block of mask_column_sums, whichever; TX

  /** WG of the tall mask_column_sums, and CX: each thread has a pair of the columns. */
  private static final int THREADS_OF_PAIRS = 128;

  private static final int PAIRS = COLUMNS / 2;

  /**
   * A longer column is added in several chunks. A step of few rows is a matter of latency: on an
   * H200, 784-1024-1024-1, batch 256, takes 125 us with one chunk and 134 with four.
   */
  private static final int MOST_ROWS_OF_ONE_CHUNK = 512;

  private static final int ROWS_OF_CHUNK = 64;

  /** That keep a large card busy; each more costs it the adding of its sums. */
  private static final int ENOUGH_BLOCKS = 1024;

  /** What adding columns in chunks needs: one for each block of them, if there is more than one. */
  static final int COUNTERS = ENOUGH_BLOCKS;

  private static final int MOST_CHUNKS = 64;

  private static final int NARROW_ROWS = 8;
  private static final int NARROW_COLUMNS = 32;

  private final Device device;
  private final List<CUmodule> modules = new ArrayList<>();
  private final Tile wide;
  private final Tile narrow;
  private final Kernel biasActivation;
  private final Kernel mask;
  private final Kernel maskTallSums;
  private final Kernel maskLowSums;
  private final Kernel thinPropagate;
  private final Kernel sumTallColumns;
  private final Kernel sumLowColumns;
  private final Kernel outputErrorSigmoid;
  private final Kernel outputErrorSoftmax;
  private final Kernel outputErrorLinear;
  private final Kernel sumLosses;
  private final Updates updates;
  private final Updates updatesBf16;
  private final Kernel gather;
  private final Kernel gatherBf16;
  private final Kernel roundBf16;
  private final Kernel turn;
  private final Kernel crop;
  private final Kernel cursorAdvance;
  private final Kernel stackStep;

  /**
   * The matrix products with one tile.
   *
   * @param forward {@code A = f(X W' + 1 b')}
   * @param propagate {@code E = (D W) (.) f'(saved)}
   * @param gradient {@code dW = D' A}
   * @param rows of the result in a tile
   * @param columns of the result in a tile
   */
  record Tile(Kernel forward, Kernel propagate, Kernel gradient, int rows, int columns) {

    long count(int m, int n) {
      return ceil(m, rows) * ceil(n, columns);
    }

    /** Ends a launch for a result [m x n]. */
    void blocks(Launcher launcher, int m, int n) {
      launcher.blocks(ceil(n, columns), ceil(m, rows));
    }
  }

  /** The update by each rule. */
  record Updates(Kernel sgd, Kernel momentum, Kernel adam) {

    Kernel by(UpdateRule rule) {
      return rule instanceof UpdateRule.Sgd
          ? sgd
          : rule instanceof UpdateRule.Momentum ? momentum : adam;
    }
  }

  Kernels(Device device) {
    this.device = device;
    try {
      wide = tile("gemm_wide", 16, 16, 128, 128);
      narrow = tile("gemm_narrow", 32, 4, NARROW_ROWS, NARROW_COLUMNS);
      CUmodule elements = load("bias_activation");
      biasActivation = kernel(elements, "bias_activation", THREADS, 1);
      mask = kernel(elements, "mask", THREADS, 1);
      CUmodule tall = load("mask_column_sums");
      maskTallSums = kernel(tall, "mask_column_sums", PAIRS, THREADS_OF_PAIRS / PAIRS);
      sumTallColumns = kernel(tall, "sum_columns", PAIRS, THREADS_OF_PAIRS / PAIRS);
      CUmodule low = load("mask_column_sums_low");
      maskLowSums = kernel(low, "mask_column_sums", COLUMNS, THREADS / COLUMNS);
      sumLowColumns = kernel(low, "sum_columns", COLUMNS, THREADS / COLUMNS);
      thinPropagate =
          kernel(load("thin_propagate"), "thin_propagate", PAIRS, THREADS_OF_PAIRS / PAIRS);
      CUmodule outputs = load("output_error");
      outputErrorSigmoid = kernel(outputs, "output_error_sigmoid", THREADS_OF_ERROR, 1);
      outputErrorSoftmax = kernel(outputs, "output_error_softmax", THREADS_OF_ERROR, 1);
      outputErrorLinear = kernel(outputs, "output_error_linear", THREADS_OF_ERROR, 1);
      sumLosses = kernel(outputs, "sum_losses", THREADS_OF_ERROR, 1);
      updates = updates("update", "");
      updatesBf16 = updates("update_bf16", "_bf16");
      gather = kernel(load("gather"), "gather", THREADS, 1);
      CUmodule copies = load("copies");
      gatherBf16 = kernel(copies, "gather_bf16", THREADS, 1);
      roundBf16 = kernel(copies, "round_bf16", THREADS, 1);
      crop = kernel(copies, "crop", THREADS, 1);
      turn = kernel(copies, "turn", COLUMNS, THREADS / COLUMNS);
      cursorAdvance = kernel(load("cursor"), "cursor_advance", 1, 1);
      stackStep = kernel(load("stack_step"), "stack_step", 32, 4);
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  private CUmodule load(String name) {
    CUmodule module = new CUmodule();
    Cuda.check(cuModuleLoadData(module, ptx(name)), "cuModuleLoadData", name + ".ptx");
    modules.add(module);
    return module;
  }

  /** The PTX as the driver takes it: a text that ends with 0. */
  private static byte[] ptx(String name) {
    String file = "ptx/" + name + ".ptx";
    try (InputStream in = Kernels.class.getResourceAsStream(file)) {
      if (in == null) {
        throw new IllegalStateException("the resource " + file + " is missing");
      }
      byte[] text = in.readAllBytes();
      return Arrays.copyOf(text, text.length + 1);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Kernel kernel(CUmodule module, String name, int threadsX, int threadsY) {
    CUfunction function = new CUfunction();
    Cuda.check(cuModuleGetFunction(function, module, name), "cuModuleGetFunction", name);
    return new Kernel(function, name, threadsX, threadsY);
  }

  private Tile tile(String name, int threadsX, int threadsY, int rows, int columns) {
    CUmodule module = load(name);
    return new Tile(
        kernel(module, "gemm_forward", threadsX, threadsY),
        kernel(module, "gemm_propagate", threadsX, threadsY),
        kernel(module, "gemm_gradient", threadsX, threadsY),
        rows,
        columns);
  }

  private Updates updates(String name, String suffix) {
    CUmodule module = load(name);
    return new Updates(
        kernel(module, "update_sgd" + suffix, THREADS, 1),
        kernel(module, "update_momentum" + suffix, THREADS, 1),
        kernel(module, "update_adam" + suffix, THREADS, 1));
  }

  /** The tile of small products, and of a fused step. */
  Tile narrow() {
    return narrow;
  }

  /** The tile for a result [m x n]: the wide one where that keeps the card busy. */
  Tile tile(int m, int n) {
    return wide.count(m, n) >= 2L * device.multiprocessors() ? wide : narrow;
  }

  /** The elements of the narrow tiles that a result [m x n] is cut into. */
  static long inTiles(long m, long n) {
    return ceil(m, NARROW_ROWS) * NARROW_ROWS * ceil(n, NARROW_COLUMNS) * NARROW_COLUMNS;
  }

  Kernel biasActivation() {
    return biasActivation;
  }

  Kernel mask() {
    return mask;
  }

  Kernel maskColumnSums(int m) {
    return tall(m) ? maskTallSums : maskLowSums;
  }

  Kernel thinPropagate() {
    return thinPropagate;
  }

  Kernel sumColumns(int m) {
    return tall(m) ? sumTallColumns : sumLowColumns;
  }

  Kernel outputErrorSigmoid() {
    return outputErrorSigmoid;
  }

  Kernel outputErrorSoftmax() {
    return outputErrorSoftmax;
  }

  Kernel outputErrorLinear() {
    return outputErrorLinear;
  }

  Kernel sumLosses() {
    return sumLosses;
  }

  Updates updates() {
    return updates;
  }

  /** Those that write copies of weights, too. */
  Updates updatesBf16() {
    return updatesBf16;
  }

  Kernel gather() {
    return gather;
  }

  Kernel gatherBf16() {
    return gatherBf16;
  }

  Kernel roundBf16() {
    return roundBf16;
  }

  Kernel turn() {
    return turn;
  }

  Kernel crop() {
    return crop;
  }

  Kernel cursorAdvance() {
    return cursorAdvance;
  }

  Kernel stackStep() {
    return stackStep;
  }

  // The launch rules.

  /** One thread for as many neighbours as a vector has. */
  static long blocksOfVectors(long elements) {
    return ceil(elements, THREADS * VECTOR);
  }

  /** Two vectors for a thread of bias_activation, in rows that are so wide. */
  static long blocksOfRows(long m, int width) {
    return ceil(m * ceil(width, VECTOR), 2 * THREADS);
  }

  /** One block for a square of a matrix [m x n]; the rows, of which there may be more, along x. */
  static void blocksOfSquares(Launcher launcher, int m, int n) {
    launcher.blocks(ceil(m, COLUMNS), ceil(n, COLUMNS));
  }

  /** Columns side by side, and the chunks that they are added in. */
  static void blocksOfColumns(Launcher launcher, int n, int chunks) {
    launcher.blocks(ceil(n, COLUMNS), chunks);
  }

  /** Whether the columns of a matrix with m rows are added in chunks. */
  static boolean tall(int m) {
    return m > MOST_ROWS_OF_ONE_CHUNK;
  }

  /** In how many chunks the columns of [m x n] are added, which is a part of their order. */
  static int chunks(int m, int n) {
    if (!tall(m)) {
      return 1;
    }
    long blocks = Math.max(1, ENOUGH_BLOCKS / Math.max(1, ceil(n, COLUMNS)));
    return (int) Math.min(Math.min(MOST_CHUNKS, blocks), ceil(m, ROWS_OF_CHUNK));
  }

  static long ceil(long a, long b) {
    return (a + b - 1) / b;
  }

  @Override
  public void close() {
    for (CUmodule module : modules) {
      Cuda.warn(cuModuleUnload(module), "cuModuleUnload");
    }
    modules.clear();
  }
}
