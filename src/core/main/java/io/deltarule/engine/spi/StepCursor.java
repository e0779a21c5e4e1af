package io.deltarule.engine.spi;

import io.deltarule.engine.Cursor;

/**
 * A cursor of an {@link AbstractEngine}: one 32-bit integer on the device, and on the host where it
 * will stand, so that a step past the end is found before it is queued.
 *
 * @param <B> the engine's kind of memory
 */
public final class StepCursor<B extends Block> implements Cursor {
  private final Allocation<B> allocation;
  private int position;

  StepCursor(Allocation<B> allocation) {
    this.allocation = allocation;
  }

  /**
   * The memory that the number lies in.
   *
   * @return a block of one integer
   */
  public B block() {
    return allocation.block();
  }

  @Override
  public int position() {
    return position;
  }

  void move(int to) {
    position = to;
  }

  @Override
  public void close() {
    allocation.close();
  }

  Allocation<B> allocation() {
    return allocation;
  }

  @Override
  public String toString() {
    return allocation.name() + " at " + position;
  }
}
