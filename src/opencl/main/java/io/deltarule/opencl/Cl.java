package io.deltarule.opencl;

import static org.jocl.CL.CL_BUILD_PROGRAM_FAILURE;
import static org.jocl.CL.CL_INVALID_BUFFER_SIZE;
import static org.jocl.CL.CL_MEM_OBJECT_ALLOCATION_FAILURE;
import static org.jocl.CL.CL_OUT_OF_HOST_MEMORY;
import static org.jocl.CL.CL_OUT_OF_RESOURCES;
import static org.jocl.CL.CL_PROGRAM_BUILD_LOG;
import static org.jocl.CL.CL_SUCCESS;
import static org.jocl.CL.clBuildProgram;
import static org.jocl.CL.clCreateBuffer;
import static org.jocl.CL.clCreateCommandQueue;
import static org.jocl.CL.clCreateContext;
import static org.jocl.CL.clCreateKernel;
import static org.jocl.CL.clCreateProgramWithBinary;
import static org.jocl.CL.clCreateProgramWithSource;
import static org.jocl.CL.clGetProgramBuildInfo;
import static org.jocl.CL.clReleaseCommandQueue;
import static org.jocl.CL.clReleaseContext;
import static org.jocl.CL.clReleaseEvent;
import static org.jocl.CL.clReleaseKernel;
import static org.jocl.CL.clReleaseMemObject;
import static org.jocl.CL.clReleaseProgram;
import static org.jocl.CL.stringFor_errorCode;

import io.deltarule.engine.EngineException;
import io.deltarule.engine.EngineMemoryException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicInteger;
import org.jocl.Pointer;
import org.jocl.cl_command_queue;
import org.jocl.cl_context;
import org.jocl.cl_device_id;
import org.jocl.cl_event;
import org.jocl.cl_kernel;
import org.jocl.cl_mem;
import org.jocl.cl_program;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Creates and releases OpenCL's objects, and counts those that live. Every status is checked: what
 * fails is an {@link EngineException} that names the call, the status and the sizes; releasing only
 * logs.
 */
final class Cl {
  private static final Logger LOG = LoggerFactory.getLogger(Cl.class);

  /** The contexts, queues, programs, kernels, buffers and events that are not released yet. */
  private static final AtomicInteger LIVE = new AtomicInteger();

  /** For tests: how many more objects are created before one fails; negative for none. */
  private static final AtomicInteger UNTIL_FAILURE = new AtomicInteger(-1);

  private static volatile Error planted; // what that failure throws; null for an exception

  private Cl() {}

  static int live() {
    return LIVE.get();
  }

  /**
   * Lets the creation of an object fail, once.
   *
   * @param creations that succeed before; negative to fail none
   */
  static void failAfter(int creations) {
    failAfter(creations, null);
  }

  /** Likewise, with an error of the JVM. */
  static void failAfter(int creations, Error error) {
    planted = error;
    UNTIL_FAILURE.set(creations);
  }

  static boolean failed() {
    return UNTIL_FAILURE.get() < 0;
  }

  // Statuses.

  static void check(int status, String call, Object... sizes) {
    if (status != CL_SUCCESS) {
      throw failure(status, call, sizes);
    }
  }

  static EngineException failure(int status, String call, Object... sizes) {
    StringBuilder message = new StringBuilder("opencl: ").append(call).append('(');
    for (int i = 0; i < sizes.length; i++) {
      message.append(i == 0 ? "" : ", ").append(sizes[i]);
    }
    message.append(") failed: ").append(stringFor_errorCode(status));
    return switch (status) {
      case CL_MEM_OBJECT_ALLOCATION_FAILURE, CL_OUT_OF_HOST_MEMORY, CL_INVALID_BUFFER_SIZE ->
          new EngineMemoryException(message.toString(), null);
      default -> new EngineException(message.toString());
    };
  }

  /** Whether a status of filling a new buffer says that there was no room for it after all. */
  static boolean outOfMemory(int status) {
    return status == CL_MEM_OBJECT_ALLOCATION_FAILURE
        || status == CL_OUT_OF_HOST_MEMORY
        || status == CL_OUT_OF_RESOURCES;
  }

  /** One more object, unless it failed. */
  private static <T> T created(T object, int[] status, String call, Object... sizes) {
    check(status[0], call, sizes);
    LIVE.incrementAndGet();
    return object;
  }

  private static void mayFail(String call, Object... sizes) {
    if (UNTIL_FAILURE.get() >= 0 && UNTIL_FAILURE.getAndDecrement() == 0) {
      if (planted != null) {
        throw planted;
      }
      throw failure(CL_MEM_OBJECT_ALLOCATION_FAILURE, call, sizes);
    }
  }

  private static void released(int status, String call) {
    LIVE.decrementAndGet();
    if (status != CL_SUCCESS) {
      LOG.warn("opencl: {} failed: {}", call, stringFor_errorCode(status));
    }
  }

  // Objects.

  static cl_context context(Device device) {
    mayFail("clCreateContext", device);
    int[] status = new int[1];
    cl_context context =
        clCreateContext(null, 1, new cl_device_id[] {device.id()}, null, null, status);
    return created(context, status, "clCreateContext", device);
  }

  static void release(cl_context context) {
    released(clReleaseContext(context), "clReleaseContext");
  }

  /** An in-order queue. The call is deprecated since OpenCL 2.0, and the only one of 1.2. */
  @SuppressWarnings("deprecation")
  static cl_command_queue queue(cl_context context, Device device) {
    mayFail("clCreateCommandQueue", device);
    int[] status = new int[1];
    cl_command_queue queue = clCreateCommandQueue(context, device.id(), 0, status);
    return created(queue, status, "clCreateCommandQueue", device);
  }

  static void release(cl_command_queue queue) {
    released(clReleaseCommandQueue(queue), "clReleaseCommandQueue");
  }

  static cl_mem buffer(cl_context context, long flags, long bytes) {
    mayFail("clCreateBuffer", bytes + " bytes");
    int[] status = new int[1];
    cl_mem buffer = clCreateBuffer(context, flags, bytes, null, status);
    return created(buffer, status, "clCreateBuffer", bytes + " bytes");
  }

  static void release(cl_mem buffer) {
    released(clReleaseMemObject(buffer), "clReleaseMemObject");
  }

  static cl_program program(cl_context context, String source) {
    mayFail("clCreateProgramWithSource", source.length() + " characters");
    int[] status = new int[1];
    cl_program program = clCreateProgramWithSource(context, 1, new String[] {source}, null, status);
    return created(program, status, "clCreateProgramWithSource", source.length() + " characters");
  }

  static cl_program program(cl_context context, Device device, byte[] binary) {
    mayFail("clCreateProgramWithBinary", binary.length + " bytes");
    int[] status = new int[1];
    cl_program program =
        clCreateProgramWithBinary(
            context,
            1,
            new cl_device_id[] {device.id()},
            new long[] {binary.length},
            new byte[][] {binary},
            new int[1],
            status);
    return created(program, status, "clCreateProgramWithBinary", binary.length + " bytes");
  }

  /** Compiles a program; the message of a failure has the compiler's log. */
  static void build(cl_program program, Device device, String options) {
    cl_device_id[] devices = {device.id()};
    int status = clBuildProgram(program, 1, devices, options, null, null);
    if (status == CL_BUILD_PROGRAM_FAILURE) {
      throw new EngineException(
          failure(status, "clBuildProgram", options).getMessage() + ":\n" + log(program, device));
    }
    check(status, "clBuildProgram", options);
  }

  private static String log(cl_program program, Device device) {
    long[] size = new long[1];
    clGetProgramBuildInfo(program, device.id(), CL_PROGRAM_BUILD_LOG, 0, null, size);
    byte[] text = new byte[(int) size[0]];
    clGetProgramBuildInfo(
        program, device.id(), CL_PROGRAM_BUILD_LOG, text.length, Pointer.to(text), null);
    return new String(text, StandardCharsets.UTF_8).replace("\0", "").strip();
  }

  static void release(cl_program program) {
    released(clReleaseProgram(program), "clReleaseProgram");
  }

  static cl_kernel kernel(cl_program program, String name) {
    mayFail("clCreateKernel", name);
    int[] status = new int[1];
    cl_kernel kernel = clCreateKernel(program, name, status);
    return created(kernel, status, "clCreateKernel", name);
  }

  static void release(cl_kernel kernel) {
    released(clReleaseKernel(kernel), "clReleaseKernel");
  }

  /** Counts an event that a call has just filled in. */
  static void created(cl_event event) {
    LIVE.incrementAndGet();
  }

  static void release(cl_event event) {
    released(clReleaseEvent(event), "clReleaseEvent");
  }
}
