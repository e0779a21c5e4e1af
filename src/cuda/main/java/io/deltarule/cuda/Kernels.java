package io.deltarule.cuda;

import static jcuda.driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
import static jcuda.driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES;
import static jcuda.driver.JCudaDriver.cuFuncGetAttribute;
import static jcuda.driver.JCudaDriver.cuFuncSetAttribute;
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

  /** WG of the output errors, as in stack_step and stack_block: the order of the loss's sum. */
  static final int THREADS_OF_ERROR = 128;

  private static final int VECTOR = 4; // VW: the neighbours that one thread takes
  private static final int SIDE = 32; // TX, of a square of turn

  /** WG of the kernels that go through columns, of tall matrices and of others. */
  private static final int THREADS_OF_TALL = 128;

  private static final int THREADS_OF_LOW = 512;
  private static final int ACROSS = 16; // CX of both: the threads side by side
  private static final int PAIR = 2; // columns of a thread of the tall ones; the others have one

  private static final int THREADS_OF_UNIT = 128; // WG of unit_forward
  private static final int WARP = 32;

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
  private final Kernel unitForward;
  private final Kernel unitTallBackward;
  private final Kernel unitLowBackward;
  private final Kernel sumTallColumns;
  private final Kernel sumLowColumns;
  private final Kernel outputErrorSigmoid;
  private final Kernel outputErrorSoftmax;
  private final Kernel outputErrorLinear;
  private final Kernel sumLosses;
  private final Updates updates;
  private final Updates updatesBf16;
  private final Kernel gatherBatch;
  private final Kernel roundBf16;
  private final Kernel turn;
  private final Kernel crop;
  private final Kernel cursorAdvance;
  private final Kernel stackStep;
  private final Kernel stackBlock;
  private final int mostBytesOfStackBlock;

  /**
   * The matrix products with one tile.
   *
   * @param forward {@code A = f(X W' + 1 b')}
   * @param propagate {@code E = (D W) (.) f'(saved)}
   * @param gradient {@code dW = D' A}
   * @param sums whether db, too: {@code [dW db] = D' [A 1]}
   * @param rows of the result in a tile
   * @param columns of the result in a tile
   */
  record Tile(
      Kernel forward, Kernel propagate, Kernel gradient, boolean sums, int rows, int columns) {

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
      CUmodule products = load("gemm_wide");
      wide =
          new Tile(
              kernel(products, "gemm_forward", 16, 16),
              kernel(products, "gemm_propagate", 16, 16),
              kernel(products, "gemm_gradient", 16, 16),
              false,
              128,
              128);
      products = load("gemm_narrow");
      narrow =
          new Tile(
              kernel(products, "gemm_forward", 32, 4),
              kernel(products, "gemm_propagate", 32, 4),
              kernel(load("gemm_gradients"), "gemm_gradients", 32, 4),
              true,
              NARROW_ROWS,
              NARROW_COLUMNS);
      CUmodule elements = load("bias_activation");
      biasActivation = kernel(elements, "bias_activation", THREADS, 1);
      mask = kernel(elements, "mask", THREADS, 1);
      CUmodule tall = load("mask_column_sums");
      maskTallSums = tall(tall, "mask_column_sums");
      sumTallColumns = tall(tall, "sum_columns");
      CUmodule low = load("mask_column_sums_low");
      maskLowSums = low(low, "mask_column_sums");
      sumLowColumns = low(low, "sum_columns");
      unitForward = kernel(load("unit_forward"), "unit_forward", THREADS_OF_UNIT, 1);
      unitTallBackward = tall(load("unit_backward"), "unit_backward");
      unitLowBackward = low(load("unit_backward_low"), "unit_backward");
      CUmodule outputs = load("output_error");
      outputErrorSigmoid = kernel(outputs, "output_error_sigmoid", THREADS_OF_ERROR, 1);
      outputErrorSoftmax = kernel(outputs, "output_error_softmax", THREADS_OF_ERROR, 1);
      outputErrorLinear = kernel(outputs, "output_error_linear", THREADS_OF_ERROR, 1);
      sumLosses = kernel(outputs, "sum_losses", THREADS_OF_ERROR, 1);
      updates = updates("update", "");
      updatesBf16 = updates("update_bf16", "_bf16");
      gatherBatch = kernel(load("gather_batch"), "gather_batch", THREADS, 1);
      CUmodule copies = load("copies");
      roundBf16 = kernel(copies, "round_bf16", THREADS, 1);
      crop = kernel(copies, "crop", THREADS, 1);
      turn = kernel(copies, "turn", SIDE, THREADS / SIDE);
      cursorAdvance = kernel(load("cursor"), "cursor_advance", 1, 1);
      stackStep = kernel(load("stack_step"), "stack_step", 32, 4);
      boolean copiesBeside = device.capability() >= Device.AMPERE;
      stackBlock = copiesBeside ? kernel(load("stack_block"), "stack_block", 512, 1) : null;
      mostBytesOfStackBlock = copiesBeside ? allSharedBytes(stackBlock) : -1;
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

  /** Lets a block of a kernel ask for all shared memory that it does not declare. */
  private int allSharedBytes(Kernel kernel) {
    int[] declared = new int[1];
    Cuda.check(
        cuFuncGetAttribute(declared, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, kernel.function()),
        "cuFuncGetAttribute",
        kernel.name());
    int bytes = Math.max(0, device.sharedBytes() - declared[0]);
    Cuda.check(
        cuFuncSetAttribute(
            kernel.function(), CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, bytes),
        "cuFuncSetAttribute",
        kernel.name());
    return bytes;
  }

  private static Kernel tall(CUmodule module, String name) {
    return kernel(module, name, ACROSS, THREADS_OF_TALL / ACROSS);
  }

  private static Kernel low(CUmodule module, String name) {
    return kernel(module, name, ACROSS, THREADS_OF_LOW / ACROSS);
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

  Kernel unitForward() {
    return unitForward;
  }

  Kernel unitBackward(int m) {
    return tall(m) ? unitTallBackward : unitLowBackward;
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

  Kernel gatherBatch() {
    return gatherBatch;
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

  /** A step by one block; null where the card has no copies beside work. */
  Kernel stackBlock() {
    return stackBlock;
  }

  /** The shared memory that it may ask for; -1 where it does not exist. */
  int mostBytesOfStackBlock() {
    return mostBytesOfStackBlock;
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

  /** A warp for a row of m. */
  static long blocksOfUnit(int m) {
    return ceil(m, THREADS_OF_UNIT / WARP);
  }

  /** One block for a square of a matrix [m x n]; the rows, of which there may be more, along x. */
  static void blocksOfSquares(Launcher launcher, int m, int n) {
    launcher.blocks(ceil(m, SIDE), ceil(n, SIDE));
  }

  /**
   * For a matrix with m rows: blocks side by side, which so many columns lie before, and the chunks
   * that they are added in.
   */
  static void blocksOfColumns(Launcher launcher, int m, int width, int chunks) {
    launcher.blocks(ceil(width, columnsOfBlock(m)), chunks);
  }

  private static int columnsOfBlock(int m) {
    return tall(m) ? PAIR * ACROSS : ACROSS;
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
    long blocks = Math.max(1, ENOUGH_BLOCKS / Math.max(1, ceil(n, columnsOfBlock(m))));
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
