package io.deltarule.opencl;

import static org.jocl.CL.CL_DEVICE_AVAILABLE;
import static org.jocl.CL.CL_DEVICE_COMPILER_AVAILABLE;
import static org.jocl.CL.CL_DEVICE_GLOBAL_MEM_SIZE;
import static org.jocl.CL.CL_DEVICE_LOCAL_MEM_SIZE;
import static org.jocl.CL.CL_DEVICE_MAX_COMPUTE_UNITS;
import static org.jocl.CL.CL_DEVICE_MAX_MEM_ALLOC_SIZE;
import static org.jocl.CL.CL_DEVICE_MAX_WORK_GROUP_SIZE;
import static org.jocl.CL.CL_DEVICE_NAME;
import static org.jocl.CL.CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT;
import static org.jocl.CL.CL_DEVICE_TYPE;
import static org.jocl.CL.CL_DEVICE_TYPE_CPU;
import static org.jocl.CL.CL_DEVICE_TYPE_GPU;
import static org.jocl.CL.CL_DEVICE_VERSION;
import static org.jocl.CL.CL_DRIVER_VERSION;
import static org.jocl.CL.CL_PLATFORM_NAME;
import static org.jocl.CL.clGetDeviceInfo;
import static org.jocl.CL.clGetPlatformInfo;

import java.nio.charset.StandardCharsets;
import org.jocl.Pointer;
import org.jocl.cl_device_id;
import org.jocl.cl_platform_id;

/**
 * A device, and what its driver says of it.
 *
 * @param id the handle
 * @param platform the platform's name
 * @param name the device's name
 * @param driver the versions of device and driver
 * @param gpu whether it is a GPU
 * @param cpu whether it is only the CPU
 * @param usable whether it is there and has a compiler
 * @param computeUnits that work on groups at the same time
 * @param vectorWidth the floats of a native vector
 * @param groupItems the most work-items of a group
 * @param localBytes the local memory of a group
 * @param globalBytes the device's memory
 * @param allocationBytes the most for one buffer
 */
record Device(
    cl_device_id id,
    String platform,
    String name,
    String driver,
    boolean gpu,
    boolean cpu,
    boolean usable,
    int computeUnits,
    int vectorWidth,
    long groupItems,
    long localBytes,
    long globalBytes,
    long allocationBytes) {

  static Device of(cl_platform_id platform, cl_device_id id) {
    long type = number(id, CL_DEVICE_TYPE);
    return new Device(
        id,
        text(
            "clGetPlatformInfo",
            (size, to, n) -> clGetPlatformInfo(platform, CL_PLATFORM_NAME, size, to, n)),
        text(id, CL_DEVICE_NAME),
        text(id, CL_DEVICE_VERSION) + ", driver " + text(id, CL_DRIVER_VERSION),
        (type & CL_DEVICE_TYPE_GPU) != 0,
        (type & CL_DEVICE_TYPE_CPU) != 0,
        number(id, CL_DEVICE_AVAILABLE) != 0 && number(id, CL_DEVICE_COMPILER_AVAILABLE) != 0,
        (int) number(id, CL_DEVICE_MAX_COMPUTE_UNITS),
        (int) number(id, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT),
        number(id, CL_DEVICE_MAX_WORK_GROUP_SIZE),
        number(id, CL_DEVICE_LOCAL_MEM_SIZE),
        number(id, CL_DEVICE_GLOBAL_MEM_SIZE),
        number(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE));
  }

  /** This device as if it had less: what a test of small devices needs. */
  Device limited(long items, long local, long global, long allocation) {
    return new Device(
        id,
        platform,
        name,
        driver,
        gpu,
        cpu,
        usable,
        computeUnits,
        vectorWidth,
        Math.min(items, groupItems),
        Math.min(local, localBytes),
        Math.min(global, globalBytes),
        Math.min(allocation, allocationBytes));
  }

  /** This device as if it were a GPU of so many units: for tests of what GPUs get. */
  Device asGpu(int units) {
    return new Device(
        id,
        platform,
        name,
        driver,
        true,
        false,
        usable,
        units,
        vectorWidth,
        groupItems,
        localBytes,
        globalBytes,
        allocationBytes);
  }

  /** The macro that tells the kernels what they are compiled for. */
  String macro() {
    return " -DGPU=" + (cpu ? 0 : 1);
  }

  /** What identifies it to caches: another driver may compile or run differently. */
  String identity() {
    return platform + ", " + name + ", " + driver;
  }

  @Override
  public String toString() {
    return "%s, %s, %s, %d units"
        .formatted(name, platform, cpu ? "CPU" : gpu ? "GPU" : "accelerator", computeUnits);
  }

  /** A query of a text, as all of OpenCL's are. */
  private interface Query {
    int ask(long size, Pointer to, long[] needed);
  }

  private static String text(String call, Query query) {
    long[] size = new long[1];
    Cl.check(query.ask(0, null, size), call);
    byte[] bytes = new byte[(int) size[0]];
    Cl.check(query.ask(bytes.length, Pointer.to(bytes), null), call);
    return new String(bytes, StandardCharsets.UTF_8).replace("\0", "").strip();
  }

  private static String text(cl_device_id id, int what) {
    return text("clGetDeviceInfo", (size, to, n) -> clGetDeviceInfo(id, what, size, to, n));
  }

  /** A number of 4 or 8 bytes: the rest stays zero (all devices that JOCL serves are little). */
  private static long number(cl_device_id id, int what) {
    long[] value = new long[1];
    Cl.check(clGetDeviceInfo(id, what, 8, Pointer.to(value), null), "clGetDeviceInfo");
    return value[0];
  }
}
