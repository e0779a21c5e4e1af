package io.deltarule.cuda;

import static jcuda.driver.CUstream_flags.CU_STREAM_NON_BLOCKING;
import static jcuda.driver.JCudaDriver.cuCtxSetCurrent;
import static jcuda.driver.JCudaDriver.cuDevicePrimaryCtxRelease;
import static jcuda.driver.JCudaDriver.cuDevicePrimaryCtxRetain;
import static jcuda.driver.JCudaDriver.cuStreamCreate;
import static jcuda.driver.JCudaDriver.cuStreamDestroy;

import jcuda.driver.CUcontext;
import jcuda.driver.CUstream;

/** A card's primary context, which all users of the card in this process share. */
final class Context implements AutoCloseable {

  /**
   * Held while a stream captures, and while something waits for a whole context: that ends every
   * capture in it, of other engines on other threads, too. On a driver of version 580 cublasDestroy
   * does, and nothing else that an engine calls.
   */
  static final Object CAPTURES = new Object();

  private final Device device;
  private final CUcontext handle = new CUcontext();

  Context(Device device) {
    this.device = device;
    Cuda.check(
        cuDevicePrimaryCtxRetain(handle, device.id()), "cuDevicePrimaryCtxRetain", device.name());
  }

  /**
   * Makes it the calling thread's. Another engine, or another user of CUDA, may have changed it
   * since the last call: so every operation begins with this.
   */
  void makeCurrent() {
    Cuda.check(cuCtxSetCurrent(handle), "cuCtxSetCurrent");
  }

  /** The same before something is freed. */
  void makeCurrentToRelease() {
    Cuda.warn(cuCtxSetCurrent(handle), "cuCtxSetCurrent");
  }

  /** A new stream, not ordered with the legacy default stream. */
  static CUstream stream() {
    CUstream stream = new CUstream();
    Cuda.check(cuStreamCreate(stream, CU_STREAM_NON_BLOCKING), "cuStreamCreate");
    return stream;
  }

  static void release(CUstream stream) {
    Cuda.warn(cuStreamDestroy(stream), "cuStreamDestroy");
  }

  @Override
  public void close() {
    Cuda.warn(cuDevicePrimaryCtxRelease(device.id()), "cuDevicePrimaryCtxRelease");
  }
}
