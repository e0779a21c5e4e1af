package io.deltarule.engine.spi;

import io.deltarule.engine.Matrix;

/**
 * A matrix of an {@link AbstractEngine}: a range of a block of device memory, in shape.
 *
 * @param <B> the engine's kind of memory
 */
public final class Operand<B extends Block> implements Matrix {
  private final Allocation<B> allocation;
  private final long offset;
  private final int rows;
  private final int columns;
  private final boolean slice;

  Operand(Allocation<B> allocation, long offset, int rows, int columns, boolean slice) {
    this.allocation = allocation;
    this.offset = offset;
    this.rows = rows;
    this.columns = columns;
    this.slice = slice;
  }

  /**
   * The memory that the matrix lies in.
   *
   * @return the block
   */
  public B block() {
    return allocation.block();
  }

  /**
   * Where the first element lies in the block.
   *
   * @return elements from the block's start
   */
  public long offset() {
    return offset;
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
  public Matrix slice(long from, int sliceRows, int sliceColumns) {
    if (from < 0
        || sliceRows < 0
        || sliceColumns < 0
        || from > size() - (long) sliceRows * sliceColumns) {
      throw new IllegalArgumentException(
          "slice [%d x %d] at %d does not lie within %s"
              .formatted(sliceRows, sliceColumns, from, this));
    }
    return new Operand<>(allocation, offset + from, sliceRows, sliceColumns, true);
  }

  @Override
  public void close() {
    if (!slice) {
      allocation.close();
    }
  }

  Allocation<B> allocation() {
    return allocation;
  }

  /**
   * Whether both are the same numbers in the same shape.
   *
   * @param other of the same engine
   * @return whether they are
   */
  public boolean coincides(Operand<B> other) {
    return allocation == other.allocation
        && offset == other.offset
        && rows == other.rows
        && columns == other.columns;
  }

  /**
   * Whether both share a number; what is empty shares none.
   *
   * @param other of the same engine
   * @return whether they do
   */
  public boolean overlaps(Operand<B> other) {
    return allocation == other.allocation
        && size() > 0
        && other.size() > 0
        && offset < other.offset + other.size()
        && other.offset < offset + size();
  }

  /**
   * Whether all its numbers are numbers of another matrix.
   *
   * @param other of the same engine
   * @return whether they are
   */
  public boolean liesWithin(Operand<B> other) {
    return allocation == other.allocation
        && offset >= other.offset
        && offset + size() <= other.offset + other.size();
  }

  @Override
  public String toString() {
    return allocation.name() + " [" + rows + " x " + columns + "]";
  }
}
