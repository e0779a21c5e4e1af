package io.deltarule.engine;

/**
 * A row-major matrix of 32-bit floats that lives on an engine. Closing it frees its memory (at
 * once, or when the calls that use it have finished); closing it again does nothing. A slice has no
 * memory of its own: closing a slice does nothing, and closing the matrix closes its slices.
 */
public interface Matrix extends AutoCloseable {

  /**
   * The rows.
   *
   * @return at least 0
   */
  int rows();

  /**
   * The columns.
   *
   * @return at least 0
   */
  int columns();

  /**
   * The number of elements.
   *
   * @return rows times columns
   */
  default long size() {
    return (long) rows() * columns();
  }

  /**
   * A part of this matrix's memory as a matrix. Offsets that are multiples of {@link
   * Engine#ALIGNMENT} are fast on every engine.
   *
   * @param offset of its first element from this matrix's first element
   * @param rows of the slice
   * @param columns of the slice
   * @return a view of the same memory
   * @throws IllegalArgumentException if the slice does not lie within this matrix
   */
  Matrix slice(long offset, int rows, int columns);

  /**
   * The first rows of this matrix, as for a last, smaller batch.
   *
   * @param rows at most {@link #rows()}
   * @return a view of the same memory
   */
  default Matrix top(int rows) {
    return rows == rows() ? this : slice(0, rows, columns());
  }

  /** Frees the memory, unless this is a slice. */
  @Override
  void close();
}
