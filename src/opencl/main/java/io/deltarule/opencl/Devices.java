package io.deltarule.opencl;

import static org.jocl.CL.CL_DEVICE_TYPE_ALL;
import static org.jocl.CL.CL_SUCCESS;
import static org.jocl.CL.clGetDeviceIDs;
import static org.jocl.CL.clGetPlatformIDs;
import static org.jocl.CL.stringFor_errorCode;

import io.deltarule.engine.EngineException;
import io.deltarule.engine.EngineUnavailableException;
import io.deltarule.engine.spi.DeviceChoice;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.Supplier;
import org.jocl.cl_device_id;
import org.jocl.cl_platform_id;

/**
 * The usable devices of all platforms, GPUs first.
 *
 * @param all those devices; empty if there are none
 * @param reason why there are none, or why one is left out, in a line; otherwise empty
 * @param remedy what helps
 */
record Devices(List<Device> all, String reason, String remedy) {
  private static final String REMEDY =
      "install the driver of the GPU, or PoCL for the CPU (apt-get install pocl-opencl-icd)";

  /** Looks for devices; never throws. */
  static Devices find() {
    try {
      Natives.load();
      return search();
    } catch (LinkageError e) {
      return none("the OpenCL loader (libOpenCL) cannot be loaded");
    } catch (EngineException | UncheckedIOException e) {
      return none(e.getMessage());
    }
  }

  private static Devices none(String reason) {
    return new Devices(List.of(), reason, REMEDY);
  }

  private static Devices search() {
    int[] count = new int[1];
    int status = clGetPlatformIDs(0, null, count);
    if (status != CL_SUCCESS || count[0] == 0) { // -1001 without any driver
      return none(
          "no OpenCL driver is installed"
              + (status == CL_SUCCESS ? "" : " (" + stringFor_errorCode(status) + ")"));
    }
    cl_platform_id[] platforms = new cl_platform_id[count[0]];
    Cl.check(clGetPlatformIDs(platforms.length, platforms, null), "clGetPlatformIDs");
    List<Supplier<Device>> queries = new ArrayList<>();
    for (cl_platform_id platform : platforms) {
      // The status first: without a device the count is garbage.
      if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 0, null, count) == CL_SUCCESS) {
        cl_device_id[] ids = new cl_device_id[count[0]];
        Cl.check(
            clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, ids.length, ids, null), "clGetDeviceIDs");
        for (cl_device_id id : ids) {
          queries.add(() -> Device.of(platform, id));
        }
      }
    }
    return of(queries);
  }

  /** Asks for each device; one whose driver fails to answer is left out. */
  static Devices of(List<Supplier<Device>> queries) {
    List<Device> found = new ArrayList<>();
    String failure = "";
    for (Supplier<Device> query : queries) {
      try {
        found.add(query.get());
      } catch (EngineException e) {
        failure = e.getMessage();
      }
    }
    List<Device> usable =
        found.stream()
            .filter(Device::usable)
            .sorted(Comparator.comparingInt(device -> device.gpu() ? 0 : device.cpu() ? 2 : 1))
            .toList();
    return usable.isEmpty()
        ? none(failure.isEmpty() ? "the OpenCL drivers here find no device" : failure)
        : new Devices(usable, failure, "");
  }

  /**
   * The device that is asked for.
   *
   * @param wish a number from 0 or a part of a name; empty for the best
   * @throws EngineUnavailableException if there is none, naming those that there are
   */
  Device choose(String wish) {
    if (all.isEmpty()) {
      throw new EngineUnavailableException("opencl: " + reason + "; " + remedy);
    }
    return DeviceChoice.choose("opencl", all, wish);
  }

  @Override
  public String toString() {
    return DeviceChoice.list(all) + (reason.isEmpty() ? "" : "; one is left out: " + reason);
  }
}
