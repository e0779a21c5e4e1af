package io.deltarule.cuda;

import static jcuda.driver.CUresult.CUDA_ERROR_INVALID_VALUE;
import static jcuda.driver.CUresult.CUDA_SUCCESS;
import static jcuda.driver.JCudaDriver.cuLaunchCooperativeKernel;
import static jcuda.driver.JCudaDriver.cuLaunchKernel;

import io.deltarule.engine.spi.Operand;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import jcuda.Pointer;
import jcuda.driver.CUstream;

/** Launches kernels on the compute stream. The driver copies the arguments during the launch. */
final class Launcher {
  private static final int MOST_ARGUMENTS = 24;
  private static final int SLOT_BYTES = 8;
  private static final int MOST_WORDS = 256; // of a table
  private static final int MOST_BLOCKS_DOWN = 65_535; // along y, and along z

  /**
   * So many lines of blocks lie along y where all of them do not fit, the others along z: see
   * GROUP_LINE. A power of two, as the sides of tiles are: an int numbers the rows of all lines,
   * even of those without work.
   */
  private static final int LINES = 2048;

  private final CUstream stream;
  private final Timeline timeline;
  private final ByteBuffer slots; // one for each argument, and those of a table
  private final Pointer[] lists = new Pointer[MOST_ARGUMENTS + 1]; // of pointers to the first slots

  private Kernel kernel; // of the launch being prepared
  private int arguments;

  Launcher(CUstream stream, Timeline timeline) {
    this.stream = stream;
    this.timeline = timeline;
    slots =
        ByteBuffer.allocateDirect((MOST_ARGUMENTS + MOST_WORDS) * SLOT_BYTES)
            .order(ByteOrder.nativeOrder());
    Pointer[] pointers = new Pointer[MOST_ARGUMENTS];
    for (int i = 0; i < MOST_ARGUMENTS; i++) {
      pointers[i] = Pointer.to(slots).withByteOffset((long) i * SLOT_BYTES);
      lists[i + 1] = Pointer.to(Arrays.copyOf(pointers, i + 1));
    }
  }

  /** Begins a launch; its arguments follow in the kernel's order. */
  Launcher begin(Kernel next) {
    kernel = next;
    arguments = 0;
    return this;
  }

  Launcher number(int value) {
    slots.putInt(SLOT_BYTES * arguments++, value);
    return this;
  }

  Launcher number(float value) {
    slots.putFloat(SLOT_BYTES * arguments++, value);
    return this;
  }

  Launcher index(long value) {
    slots.putLong(SLOT_BYTES * arguments++, value);
    return this;
  }

  /** Memory that is no block's: of a workspace. Null is a null pointer. */
  Launcher address(Address value) {
    return index(value == null ? 0 : value.number());
  }

  Launcher block(CudaBlock value) {
    timeline.use(value);
    return address(value.address());
  }

  /** A matrix: its block, and where in it. */
  Launcher matrix(Operand<CudaBlock> value) {
    return block(value.block()).index(value.offset());
  }

  /**
   * A structure of words by value, of which the kernel may have more than it is given. It must be
   * the last argument.
   */
  Launcher table(long... words) {
    for (int i = 0; i < words.length; i++) {
      slots.putLong(SLOT_BYTES * (arguments + i), words[i]);
    }
    arguments++;
    return this;
  }

  /** Ends a launch: that many blocks of threads. */
  void blocks(long x, long y) {
    boolean fits = y <= MOST_BLOCKS_DOWN;
    long z = fits ? 1 : Kernels.ceil(y, LINES);
    int status =
        x > Integer.MAX_VALUE || z > MOST_BLOCKS_DOWN
            ? CUDA_ERROR_INVALID_VALUE
            : cuLaunchKernel(
                kernel.function(),
                (int) x,
                fits ? (int) y : LINES,
                (int) z,
                kernel.threadsX(),
                kernel.threadsY(),
                1,
                0,
                stream,
                lists[arguments],
                null);
    check(status, "cuLaunchKernel", x, y);
  }

  /**
   * Launches blocks that wait for each other, so that all must run at the same time.
   *
   * @param argument the kernel's one argument, which the driver copies
   */
  void cooperative(Kernel next, Pointer argument, int x) {
    begin(next);
    int status =
        cuLaunchCooperativeKernel(
            kernel.function(),
            x,
            1,
            1,
            kernel.threadsX(),
            kernel.threadsY(),
            1,
            0,
            stream,
            argument);
    check(status, "cuLaunchCooperativeKernel", x, 1);
  }

  /**
   * Launches one block.
   *
   * @param argument the kernel's one argument, which the driver copies
   * @param sharedBytes that the block gets beside what the kernel declares
   */
  void oneBlock(Kernel next, Pointer argument, int sharedBytes) {
    begin(next);
    int status =
        cuLaunchKernel(
            kernel.function(),
            1,
            1,
            1,
            kernel.threadsX(),
            kernel.threadsY(),
            1,
            sharedBytes,
            stream,
            argument,
            null);
    check(status, "cuLaunchKernel", 1, 1);
  }

  private void check(int status, String call, long x, long y) {
    if (status != CUDA_SUCCESS) {
      throw Cuda.failure(
          status,
          call,
          kernel.name(),
          x + " x " + y + " blocks of " + kernel.threadsX() + " x " + kernel.threadsY());
    }
  }
}
