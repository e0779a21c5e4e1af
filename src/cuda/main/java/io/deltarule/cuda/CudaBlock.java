package io.deltarule.cuda;

import io.deltarule.engine.spi.Block;

/** Device memory of an engine. */
final class CudaBlock implements Block {
  private final Memory memory;
  private final Address address;
  private final long bytes;
  private long lastUse; // see Timeline

  CudaBlock(Memory memory, Address address, long bytes) {
    this.memory = memory;
    this.address = address;
    this.bytes = bytes;
  }

  Address address() {
    return address;
  }

  long lastUse() {
    return lastUse;
  }

  void usedAt(long time) {
    lastUse = time;
  }

  @Override
  public void release() {
    memory.free(address, bytes);
  }
}
