package io.deltarule.engine.spi;

import io.deltarule.engine.Indices;

/**
 * The row numbers of an {@link AbstractEngine}: a block of 32-bit integers, [rows x columns].
 *
 * @param <B> the engine's kind of memory
 */
public final class IndexLists<B extends Block> implements Indices {
  private final Allocation<B> allocation;
  private final int rows;
  private final int columns;
  private final int bound;

  IndexLists(Allocation<B> allocation, int rows, int columns, int bound) {
    this.allocation = allocation;
    this.rows = rows;
    this.columns = columns;
    this.bound = bound;
  }

  /**
   * The memory that the lists lie in, from its start.
   *
   * @return the block
   */
  public B block() {
    return allocation.block();
  }

  @Override
  public int rows() {
    return rows;
  }

  @Override
  public int columns() {
    return columns;
  }

  @Override
  public int bound() {
    return bound;
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
    return allocation.name() + " [" + rows + " x " + columns + "] below " + bound;
  }
}
