package io.deltarule.cuda;

import static jcuda.driver.JCudaDriver.cuCtxSetCurrent;
import static jcuda.driver.JCudaDriver.cuDeviceGet;
import static jcuda.driver.JCudaDriver.cuDevicePrimaryCtxRelease;
import static jcuda.driver.JCudaDriver.cuDevicePrimaryCtxRetain;
import static jcuda.driver.JCudaDriver.cuInit;
import static jcuda.driver.JCudaDriver.cuMemAlloc;
import static jcuda.driver.JCudaDriver.cuMemFree;
import static jcuda.driver.JCudaDriver.cuMemcpyDtoH;
import static jcuda.driver.JCudaDriver.cuMemcpyHtoD;
import static jcuda.driver.JCudaDriver.cuStreamCreate;
import static jcuda.driver.JCudaDriver.cuStreamDestroy;
import static jcuda.driver.JCudaDriver.cuStreamSynchronize;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;

/** The first device with a stream and some memory, for tests below the engine. */
final class TestContext implements AutoCloseable {
  private final CUdevice device = new CUdevice();
  private final CUstream stream = new CUstream();
  private final List<CUdeviceptr> memory = new ArrayList<>();

  TestContext() {
    CUcontext context = new CUcontext();
    check(cuInit(0));
    check(cuDeviceGet(device, 0));
    check(cuDevicePrimaryCtxRetain(context, device));
    check(cuCtxSetCurrent(context));
    check(cuStreamCreate(stream, 1)); // one that does not wait for the default stream
  }

  static void check(int status) {
    assertEquals("CUDA_SUCCESS", CUresult.stringFor(status));
  }

  CUstream stream() {
    return stream;
  }

  CUdeviceptr allocate(long bytes) {
    CUdeviceptr pointer = new CUdeviceptr();
    check(cuMemAlloc(pointer, bytes));
    memory.add(pointer);
    return pointer;
  }

  CUdeviceptr upload(float... values) {
    CUdeviceptr pointer = allocate(4L * values.length);
    check(cuMemcpyHtoD(pointer, Pointer.to(values), 4L * values.length));
    return pointer;
  }

  /** The upper halves of the values' bits, which are their bf16 form if nothing is cut off. */
  CUdeviceptr uploadHalves(float... values) {
    short[] halves = new short[values.length];
    for (int i = 0; i < values.length; i++) {
      halves[i] = (short) (Float.floatToRawIntBits(values[i]) >>> 16);
    }
    CUdeviceptr pointer = allocate(2L * values.length);
    check(cuMemcpyHtoD(pointer, Pointer.to(halves), 2L * values.length));
    return pointer;
  }

  float[] download(CUdeviceptr pointer, int values) {
    float[] to = new float[values];
    check(cuStreamSynchronize(stream));
    check(cuMemcpyDtoH(Pointer.to(to), pointer, 4L * values));
    return to;
  }

  @Override
  public void close() {
    memory.forEach(pointer -> check(cuMemFree(pointer)));
    check(cuStreamDestroy(stream));
    check(cuDevicePrimaryCtxRelease(device));
  }
}
