package io.deltarule.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import jcuda.NativePointerObject;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUfunction;
import jcuda.driver.CUfunction_attribute;
import jcuda.driver.CUmodule;
import jcuda.driver.JCudaDriver;

/** Runs single kernels of the committed PTX on the fake driver. All matrices lie in one block. */
final class KernelRunner implements AutoCloseable {
  private final CUdeviceptr block = new CUdeviceptr();
  private final int size;

  /** A block of so many floats. */
  KernelRunner(int size) {
    this.size = size;
    FakeDriver.load();
    JCudaDriver.setExceptionsEnabled(true);
    JCudaDriver.cuInit(0);
    CUdevice device = new CUdevice();
    JCudaDriver.cuDeviceGet(device, 0);
    JCudaDriver.cuCtxCreate(new CUcontext(), 0, device);
    JCudaDriver.cuMemAlloc(block, 4L * size);
  }

  CUdeviceptr block() {
    return block;
  }

  /** The memory from an element of the block on. */
  CUdeviceptr from(long element) {
    return block.withByteOffset(4 * element);
  }

  /** The block's address, as a kernel sees it. */
  long address() {
    long[] address = new long[1];
    JCudaDriver.cuMemcpyHtoD(block, Pointer.to(new NativePointerObject[] {block}), 8);
    JCudaDriver.cuMemcpyDtoH(Pointer.to(address), block, 8);
    return address[0];
  }

  void write(float[] values) {
    JCudaDriver.cuMemcpyHtoD(block, Pointer.to(values), 4L * values.length);
  }

  float[] read() {
    float[] values = new float[size];
    JCudaDriver.cuMemcpyDtoH(Pointer.to(values), block, 4L * size);
    return values;
  }

  /** A kernel of a module of the committed PTX. */
  CUfunction kernel(String module, String name) {
    try (InputStream stream = KernelRunner.class.getResourceAsStream("ptx/" + module + ".ptx")) {
      String ptx = new String(stream.readAllBytes(), StandardCharsets.US_ASCII);
      CUmodule loaded = new CUmodule();
      JCudaDriver.cuModuleLoadData(loaded, ptx);
      CUfunction function = new CUfunction();
      JCudaDriver.cuModuleGetFunction(function, loaded, name);
      return function;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Launches a kernel in groups of x by y, with int, long, long[], float, CUdeviceptr arguments.
   */
  void launch(CUfunction kernel, int groupsX, int groupsY, int x, int y, Object... arguments) {
    launchLines(kernel, groupsX, groupsY, 1, x, y, arguments);
  }

  /** Likewise, with lines of groups along y and z. */
  void launchLines(
      CUfunction kernel, int groupsX, int groupsY, int groupsZ, int x, int y, Object... arguments) {
    JCudaDriver.cuLaunchKernel(
        kernel, groupsX, groupsY, groupsZ, x, y, 1, 0, null, parameters(arguments), null);
  }

  /** Likewise, with all groups at the same time. */
  void launchCooperative(CUfunction kernel, int groups, int x, int y, Object... arguments) {
    JCudaDriver.cuLaunchCooperativeKernel(
        kernel, groups, 1, 1, x, y, 1, 0, null, parameters(arguments));
  }

  /** Launches one group of x with so much memory that the kernel does not declare. */
  void launchBlock(CUfunction kernel, int x, int bytes, Object... arguments) {
    JCudaDriver.cuFuncSetAttribute(
        kernel, CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, bytes);
    JCudaDriver.cuLaunchKernel(kernel, 1, 1, 1, x, 1, 1, bytes, null, parameters(arguments), null);
  }

  private static Pointer parameters(Object... arguments) {
    NativePointerObject[] pointers = new NativePointerObject[arguments.length];
    for (int i = 0; i < arguments.length; i++) {
      if (arguments[i] instanceof Integer number) {
        pointers[i] = Pointer.to(new int[] {number});
      } else if (arguments[i] instanceof Long number) {
        pointers[i] = Pointer.to(new long[] {number});
      } else if (arguments[i] instanceof long[] words) {
        pointers[i] = Pointer.to(words);
      } else if (arguments[i] instanceof Float number) {
        pointers[i] = Pointer.to(new float[] {number});
      } else {
        pointers[i] = Pointer.to((CUdeviceptr) arguments[i]);
      }
    }
    return Pointer.to(pointers);
  }

  /** Ends the test: nothing was misused. */
  @Override
  public void close() {
    JCudaDriver.setExceptionsEnabled(false);
    List<String> misuse = FakeDriver.messages();
    FakeDriver.reset();
    assertEquals(List.of(), misuse);
  }

  static int ceil(int n, int size) {
    return (n + size - 1) / size;
  }
}
