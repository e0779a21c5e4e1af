package io.deltarule.opencl;

import static org.jocl.CL.CL_KERNEL_WORK_GROUP_SIZE;
import static org.jocl.CL.clGetKernelWorkGroupInfo;

import io.deltarule.engine.EngineException;
import org.jocl.Pointer;
import org.jocl.cl_kernel;
import org.jocl.cl_program;

/**
 * A kernel and the work-items of its groups.
 *
 * @param program that has it; not owned
 * @param name in the source
 * @param itemsX of a group
 * @param itemsY of a group
 * @param handle for calls; owned. A recorded launch has a handle of its own
 */
record Kernel(cl_program program, String name, int itemsX, int itemsY, cl_kernel handle) {

  static Kernel create(Device device, cl_program program, String name, int itemsX, int itemsY) {
    cl_kernel handle = Cl.kernel(program, name);
    long[] most = new long[1];
    int status =
        clGetKernelWorkGroupInfo(
            handle, device.id(), CL_KERNEL_WORK_GROUP_SIZE, 8, Pointer.to(most), null);
    if (status != 0 || most[0] < (long) itemsX * itemsY) {
      Cl.release(handle);
      Cl.check(status, "clGetKernelWorkGroupInfo", name);
      throw new EngineException(
          "opencl: %s needs groups of %d x %d work-items, but %s takes %d at most"
              .formatted(name, itemsX, itemsY, device.name(), most[0]));
    }
    return new Kernel(program, name, itemsX, itemsY, handle);
  }
}
