package io.deltarule.cuda;

import java.util.ArrayList;
import java.util.List;

/**
 * The memory that launches need beside their operands. A recording has one of its own, whose
 * addresses stay valid as long as it does; the engine has one for the calls outside of recordings.
 */
final class Workspace implements AutoCloseable {
  private final Memory memory;
  private final Halves halves;
  private final List<Runnable> releases = new ArrayList<>();
  private Address sums;
  private long sumsBytes;

  Workspace(Memory memory, boolean recording) {
    this.memory = memory;
    halves = new Halves(memory, recording);
  }

  Halves halves() {
    return halves;
  }

  /** Room for partial sums, which the next launch may overwrite. */
  Address sums(long floats) {
    if (sumsBytes < 4 * floats) {
      sums = allocate(4 * floats); // the smaller one may be in use by what was recorded already
      sumsBytes = 4 * floats;
    }
    return sums;
  }

  /** Memory with anything in it, until this is closed. */
  Address allocate(long bytes) {
    Address address = memory.raw(bytes);
    releases.add(() -> memory.free(address, bytes));
    return address;
  }

  @Override
  public void close() {
    releases.forEach(Runnable::run);
    releases.clear();
    halves.close();
  }
}
