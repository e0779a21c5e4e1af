package io.deltarule.cuda;

import io.deltarule.engine.spi.Operand;
import java.util.ArrayList;
import java.util.List;

/**
 * The bf16 copies of matrices that products of that precision take as factors. Within a recording a
 * copy lives on until its matrix is written to again, and what computes the matrix may write the
 * copy, too; outside of one it is made for one product only.
 */
final class Halves implements AutoCloseable {
  private static final int FACTORS = 2; // of a product

  private final Memory memory;
  private final boolean kept;
  private final List<Copy> copies = new ArrayList<>();
  private int next;

  /** A copy, in memory that may be larger. */
  private static final class Copy {
    private Operand<CudaBlock> original;
    private Address address;
    private long bytes;
    private boolean valid;
  }

  /** Makes a bf16 copy of a matrix. */
  interface Rounding {
    void round(Operand<CudaBlock> matrix, Address half);
  }

  Halves(Memory memory, boolean kept) {
    this.memory = memory;
    this.kept = kept;
  }

  /** The copy of a matrix, made now unless there is one. */
  Address of(Operand<CudaBlock> matrix, Rounding rounding) {
    Copy copy = kept ? copyOf(matrix) : reused(matrix);
    if (!copy.valid) {
      rounding.round(matrix, copy.address);
      copy.valid = kept;
    }
    return copy.address;
  }

  /** Announces that a copy will be asked for. */
  void expect(Operand<CudaBlock> matrix) {
    if (kept) {
      copyOf(matrix);
    }
  }

  /** Where to write the copy of a matrix that is being computed; null where none is expected. */
  Address toWrite(Operand<CudaBlock> matrix) {
    for (Copy copy : copies) {
      if (kept && copy.original.coincides(matrix)) {
        return copy.address;
      }
    }
    return null;
  }

  /** Notes that a matrix was computed, and whether its copy was written with it. */
  void written(Operand<CudaBlock> matrix, boolean withCopy) {
    for (Copy copy : copies) {
      if (kept && copy.original.overlaps(matrix)) {
        copy.valid = withCopy && copy.original.coincides(matrix);
      }
    }
  }

  private Copy copyOf(Operand<CudaBlock> matrix) {
    for (Copy copy : copies) {
      if (copy.original.coincides(matrix)) {
        return copy;
      }
    }
    Copy copy = new Copy();
    allocate(copy, matrix);
    copies.add(copy);
    return copy;
  }

  private Copy reused(Operand<CudaBlock> matrix) {
    if (copies.size() < FACTORS) {
      copies.add(new Copy());
    }
    Copy copy = copies.get(next % copies.size());
    next = (next + 1) % FACTORS;
    if (copy.bytes < bytes(matrix)) {
      free(copy);
      allocate(copy, matrix);
    }
    return copy;
  }

  private void allocate(Copy copy, Operand<CudaBlock> matrix) {
    copy.address = memory.raw(bytes(matrix));
    copy.bytes = bytes(matrix);
    copy.original = matrix;
  }

  private static long bytes(Operand<CudaBlock> matrix) {
    return Math.max(16, 2 * matrix.size());
  }

  private void free(Copy copy) {
    if (copy.address != null) {
      memory.free(copy.address, copy.bytes);
      copy.address = null;
      copy.bytes = 0;
    }
  }

  @Override
  public void close() {
    copies.forEach(this::free);
    copies.clear();
  }
}
