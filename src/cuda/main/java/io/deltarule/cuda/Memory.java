package io.deltarule.cuda;

import static jcuda.driver.CUresult.CUDA_SUCCESS;
import static jcuda.driver.JCudaDriver.cuMemAlloc;
import static jcuda.driver.JCudaDriver.cuMemFree;
import static jcuda.driver.JCudaDriver.cuMemGetInfo;
import static jcuda.driver.JCudaDriver.cuMemsetD8Async;
import static jcuda.driver.JCudaDriver.cuStreamSynchronize;

import io.deltarule.engine.EngineMemoryException;
import jcuda.driver.CUstream;

/** Allocates the device memory of an engine. */
final class Memory {
  private final Device device;
  private final Context context;
  private final CUstream stream;
  private final Timeline timeline;
  private long held; // bytes

  Memory(Device device, Context context, CUstream stream, Timeline timeline) {
    this.device = device;
    this.context = context;
    this.stream = stream;
    this.timeline = timeline;
  }

  /**
   * A block of zeros.
   *
   * @param elements of 4 bytes, at least 1
   * @throws EngineMemoryException with the bytes asked for and those there
   */
  CudaBlock zeros(long elements) {
    long bytes = 4 * elements;
    Address address = raw(bytes);
    int status = cuMemsetD8Async(address, (byte) 0, bytes, stream);
    if (status != CUDA_SUCCESS) {
      free(address, bytes);
      throw Cuda.failure(status, "cuMemsetD8Async", bytes + " bytes");
    }
    CudaBlock block = new CudaBlock(this, address, bytes);
    timeline.use(block);
    return block;
  }

  /** Memory with anything in it. */
  Address raw(long bytes) {
    Address address = new Address();
    int status = cuMemAlloc(address, bytes);
    if (Cuda.outOfMemory(status)) {
      throw new EngineMemoryException(
          "asked for %d bytes of %s, which has %s".formatted(bytes, device.name(), free()), null);
    }
    Cuda.check(status, "cuMemAlloc", bytes + " bytes");
    held += bytes;
    return address;
  }

  private String free() {
    long[] free = new long[1];
    long[] total = new long[1];
    return cuMemGetInfo(free, total) == CUDA_SUCCESS
        ? "%d bytes, %d of them free".formatted(total[0], free[0])
        : device.bytes() + " bytes";
  }

  /**
   * What this engine could have: what is free, and what it holds. Other programs may take some.
   *
   * @return bytes
   */
  long available() {
    long[] free = new long[1];
    Cuda.check(cuMemGetInfo(free, new long[1]), "cuMemGetInfo");
    return free[0] + held;
  }

  /** Frees memory when the work that uses it is done. Uploads are part of that: see Transfers. */
  void free(Address address, long bytes) {
    context.makeCurrentToRelease();
    Cuda.warn(cuStreamSynchronize(stream), "cuStreamSynchronize");
    Cuda.warn(cuMemFree(address), "cuMemFree(" + bytes + " bytes)");
    held -= bytes;
  }
}
