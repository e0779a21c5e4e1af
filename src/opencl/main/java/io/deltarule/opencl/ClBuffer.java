package io.deltarule.opencl;

import io.deltarule.engine.spi.Block;
import org.jocl.Pointer;
import org.jocl.cl_mem;

/** A buffer, and who counts its bytes. Owns the memory. */
final class ClBuffer implements Block {
  private final cl_mem memory;
  private final Pointer pointer; // to the handle, as kernel arguments want it
  private final long bytes;
  private final Memory owner;

  ClBuffer(Memory owner, cl_mem memory, long bytes) {
    this.owner = owner;
    this.memory = memory;
    this.bytes = bytes;
    pointer = Pointer.to(memory);
  }

  cl_mem memory() {
    return memory;
  }

  Pointer pointer() {
    return pointer;
  }

  long bytes() {
    return bytes;
  }

  /** OpenCL keeps the memory until the queued commands that use it have finished. */
  @Override
  public void release() {
    Cl.release(memory);
    owner.released(bytes);
  }
}
