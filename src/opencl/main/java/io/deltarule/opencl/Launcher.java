package io.deltarule.opencl;

import static org.jocl.CL.CL_SUCCESS;
import static org.jocl.CL.clEnqueueCopyBuffer;
import static org.jocl.CL.clEnqueueNDRangeKernel;
import static org.jocl.CL.clSetKernelArg;

import io.deltarule.engine.spi.Operand;
import io.deltarule.engine.spi.Replay;
import java.util.ArrayList;
import java.util.List;
import org.jocl.Pointer;
import org.jocl.Sizeof;
import org.jocl.cl_command_queue;
import org.jocl.cl_kernel;

/**
 * Queues commands, or records them. A recorded launch has a kernel object of its own with all its
 * arguments set, so that replaying it is the single call clEnqueueNDRangeKernel.
 * (cl_khr_command_buffer would be one call for a whole step, but JOCL 2.0.6 has no binding of it
 * nor of clGetExtensionFunctionAddressForPlatform's result.)
 */
final class Launcher {
  private final cl_command_queue queue;
  private final int[] int32 = new int[1];
  private final long[] int64 = new long[1];
  private final float[] float32 = new float[1];
  private final Pointer toInt32 = Pointer.to(int32);
  private final Pointer toInt64 = Pointer.to(int64);
  private final Pointer toFloat32 = Pointer.to(float32);
  private final long[] global = new long[2];
  private final long[] local = new long[2];

  private Tape tape; // while recording
  private Kernel kernel; // of the launch being prepared
  private cl_kernel handle;
  private int argument;

  Launcher(cl_command_queue queue) {
    this.queue = queue;
  }

  /** Begins a launch; its arguments follow in the kernel's order. */
  Launcher begin(Kernel next) {
    kernel = next;
    handle = tape == null ? next.handle() : tape.own(Cl.kernel(next.program(), next.name()));
    argument = 0;
    return this;
  }

  Launcher number(int value) {
    int32[0] = value;
    return set(Sizeof.cl_int, toInt32);
  }

  Launcher index(long value) {
    int64[0] = value;
    return set(Sizeof.cl_long, toInt64);
  }

  Launcher number(float value) {
    float32[0] = value;
    return set(Sizeof.cl_float, toFloat32);
  }

  Launcher buffer(ClBuffer value) {
    return set(Sizeof.cl_mem, value.pointer());
  }

  /** A matrix: its buffer, and where in it. */
  Launcher matrix(Operand<ClBuffer> value) {
    return buffer(value.block()).index(value.offset());
  }

  private Launcher set(long size, Pointer value) {
    int status = clSetKernelArg(handle, argument, size, value);
    if (status != CL_SUCCESS) {
      throw Cl.failure(status, "clSetKernelArg", kernel.name(), "argument " + argument);
    }
    argument++;
    return this;
  }

  /** Ends a launch: that many groups. */
  void groups(long x, long y) {
    long globalX = x * kernel.itemsX();
    long globalY = y * kernel.itemsY();
    if (tape == null) {
      global[0] = globalX;
      global[1] = globalY;
      local[0] = kernel.itemsX();
      local[1] = kernel.itemsY();
      enqueue(kernel.name(), handle, global, local);
    } else {
      String name = kernel.name();
      cl_kernel own = handle;
      long[] ownGlobal = {globalX, globalY};
      long[] ownLocal = {kernel.itemsX(), kernel.itemsY()};
      tape.commands.add(() -> enqueue(name, own, ownGlobal, ownLocal));
    }
  }

  private void enqueue(String name, cl_kernel own, long[] globalSize, long[] localSize) {
    int status = clEnqueueNDRangeKernel(queue, own, 2, null, globalSize, localSize, 0, null, null);
    if (status != CL_SUCCESS) {
      throw Cl.failure(
          status,
          "clEnqueueNDRangeKernel",
          name,
          globalSize[0] + " x " + globalSize[1] + " items",
          "groups of " + localSize[0] + " x " + localSize[1]);
    }
  }

  void copy(Operand<ClBuffer> from, Operand<ClBuffer> to) {
    if (tape == null) {
      int status =
          clEnqueueCopyBuffer(
              queue,
              from.block().memory(),
              to.block().memory(),
              4 * from.offset(),
              4 * to.offset(),
              4 * from.size(),
              0,
              null,
              null);
      if (status != CL_SUCCESS) {
        throw Cl.failure(status, "clEnqueueCopyBuffer", from, to);
      }
    } else {
      tape.commands.add(() -> copy(from, to));
    }
  }

  /** Runs launches to record what they queue. */
  Replay record(List<Runnable> launches) {
    Tape recorded = new Tape();
    tape = recorded;
    try {
      launches.forEach(Runnable::run);
    } catch (RuntimeException | Error e) {
      recorded.close();
      throw e;
    } finally {
      tape = null;
    }
    recorded.queued = recorded.commands.toArray(Runnable[]::new);
    return recorded;
  }

  /** Recorded commands; owns their kernel objects. */
  private static final class Tape implements Replay {
    private final List<Runnable> commands = new ArrayList<>();
    private final List<cl_kernel> owned = new ArrayList<>();
    private Runnable[] queued = {};

    cl_kernel own(cl_kernel kernel) {
      owned.add(kernel);
      return kernel;
    }

    @Override
    public void run(int times) {
      for (int i = 0; i < times; i++) {
        for (Runnable command : queued) {
          command.run();
        }
      }
    }

    @Override
    public void close() {
      owned.forEach(Cl::release);
      owned.clear();
      queued = new Runnable[0];
    }
  }
}
