package io.deltarule.opencl;

import static org.jocl.CL.CL_MEM_READ_WRITE;
import static org.jocl.CL.CL_SUCCESS;
import static org.jocl.CL.clEnqueueCopyBuffer;
import static org.jocl.CL.clEnqueueFillBuffer;
import static org.jocl.CL.clFinish;
import static org.jocl.CL.stringFor_errorCode;

import io.deltarule.engine.EngineMemoryException;
import org.jocl.Pointer;
import org.jocl.cl_command_queue;
import org.jocl.cl_context;
import org.jocl.cl_mem;

/** Allocates the buffers of an engine, and knows how many bytes they have. */
final class Memory {
  private static final long PART = 1L << 30; // bytes

  private final Device device;
  private final cl_context context;
  private final cl_command_queue queue;
  private long held;

  Memory(Device device, cl_context context, cl_command_queue queue) {
    this.device = device;
    this.context = context;
    this.queue = queue;
  }

  /**
   * A buffer of zeros. Drivers allocate lazily: the zeros are what makes them find out, here rather
   * than in a kernel, that there is no room. A CPU device promises more than the machine may have,
   * so that what it says it has is never exceeded.
   *
   * @param elements of 4 bytes, at least 1
   * @throws EngineMemoryException with the bytes asked for and those there
   */
  ClBuffer zeros(long elements) {
    long bytes = 4 * elements;
    if (bytes > device.allocationBytes() || bytes > device.globalBytes() - held) {
      throw noRoom(bytes, "", null);
    }
    cl_mem memory;
    try {
      memory = Cl.buffer(context, CL_MEM_READ_WRITE, bytes);
    } catch (EngineMemoryException e) {
      throw noRoom(bytes, " (" + e.getMessage() + ")", e);
    }
    int status = clear(memory, bytes);
    if (status != CL_SUCCESS) {
      Cl.release(memory);
      if (Cl.outOfMemory(status)) {
        throw noRoom(bytes, " (zeros: " + stringFor_errorCode(status) + ")", null);
      }
      throw Cl.failure(status, "filling with zeros", bytes + " bytes");
    }
    held += bytes;
    return new ClBuffer(this, memory, bytes);
  }

  /**
   * Fills a buffer with zeros, and waits for that. One part is filled, the others are copies of it:
   * NVIDIA's driver (580.159) fails from byte 2^33 on and loses the context.
   */
  private int clear(cl_mem memory, long bytes) {
    Pointer zero = Pointer.to(new int[1]);
    int status =
        clEnqueueFillBuffer(queue, memory, zero, 4, 0, Math.min(bytes, PART), 0, null, null);
    for (long at = PART; at < bytes && status == CL_SUCCESS; at += PART) {
      long count = Math.min(PART, bytes - at);
      status = clEnqueueCopyBuffer(queue, memory, memory, 0, at, count, 0, null, null);
    }
    return status == CL_SUCCESS ? clFinish(queue) : status;
  }

  private EngineMemoryException noRoom(long bytes, String why, Throwable cause) {
    return new EngineMemoryException(
        "asked for %d bytes of %s, which has %d bytes, %d of them in use here, and %d at most for one buffer%s"
            .formatted(
                bytes, device.name(), device.globalBytes(), held, device.allocationBytes(), why),
        cause);
  }

  void released(long bytes) {
    held -= bytes;
  }
}
