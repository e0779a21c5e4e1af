package io.deltarule.cuda;

import io.deltarule.engine.spi.Block;

/** Device memory of an engine. */
final class CudaBlock implements Block {
  private final Memory memory;
  private final Address address;
  private final long bytes;
  private long lastUse; // see Timeline
  private long version; // how often it may have been written to

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

  /** What tells whether a copy of its numbers is one still; see {@link Copies}. */
  long version() {
    return version;
  }

  /** Notes that it is being written to. */
  void changed() {
    version++;
  }

  @Override
  public void release() {
    memory.free(address, bytes);
  }
}
