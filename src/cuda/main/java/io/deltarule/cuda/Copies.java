package io.deltarule.cuda;

import io.deltarule.engine.spi.Operand;
import java.util.ArrayList;
import java.util.List;

/**
 * The copies of matrices in bf16 that products of cuBLAS take as factors in their place. Within a
 * recording a copy lives on until its matrix is written to again, and what computes the matrix may
 * write the copy, too; outside of one it is made for one product only.
 */
final class Copies implements AutoCloseable {
  private static final int FACTORS = 2; // of a product

  /** A row of a copy in bf16 is a multiple of so many numbers long: 16 bytes. */
  private static final int PITCH = 8;

  private final Memory memory;
  private final boolean kept;
  private final List<Copy> copies = new ArrayList<>();
  private int next;

  /** How a copy of a matrix [m x n] is padded. */
  enum Form {
    /** Rows of {@code pitch(n)} numbers, those beyond n zeros. */
    HALF,
    /** Also {@code pitch(m)} rows, those beyond m zeros. */
    WEIGHTS
  }

  /** A copy, in memory that may be larger. */
  private static final class Copy {
    private Operand<CudaBlock> original;
    private Form form;
    private Address address;
    private long bytes;
    private boolean valid;

    private boolean is(Operand<CudaBlock> matrix, Form wanted) {
      return form == wanted && original.coincides(matrix);
    }
  }

  /** Makes a copy of a matrix. */
  interface Maker {
    void make(Operand<CudaBlock> matrix, Form form, Address copy);
  }

  Copies(Memory memory, boolean kept) {
    this.memory = memory;
    this.kept = kept;
  }

  /** The length of a row in bf16 that holds so many columns. */
  static int pitch(int columns) {
    return Math.toIntExact(Kernels.ceil(columns, PITCH) * PITCH);
  }

  /** The copy of a matrix, made now unless there is one. */
  Address of(Operand<CudaBlock> matrix, Form form, Maker maker) {
    Copy copy = kept ? copyOf(matrix, form) : reused(matrix, form);
    if (!copy.valid) {
      maker.make(matrix, form, copy.address);
      copy.valid = kept;
    }
    return copy.address;
  }

  /** Announces that a copy will be asked for. */
  void expect(Operand<CudaBlock> matrix, Form form) {
    if (kept) {
      copyOf(matrix, form);
    }
  }

  /**
   * Where to write the copy in bf16 of a matrix that is being computed; null if none is expected.
   */
  Address toWrite(Operand<CudaBlock> matrix) {
    Copy copy = kept ? find(matrix, Form.HALF) : null;
    return copy == null ? null : copy.address;
  }

  /** The copy in bf16 of a matrix, if it has been made; otherwise null. */
  Address half(Operand<CudaBlock> matrix) {
    Copy copy = kept ? find(matrix, Form.HALF) : null;
    return copy == null || !copy.valid ? null : copy.address;
  }

  /** Notes that a matrix was computed, and whether its copy in bf16 was written with it. */
  void written(Operand<CudaBlock> matrix, boolean withHalf) {
    for (Copy copy : copies) {
      if (kept && copy.original.overlaps(matrix)) {
        copy.valid = withHalf && copy.is(matrix, Form.HALF);
      }
    }
  }

  private Copy find(Operand<CudaBlock> matrix, Form form) {
    for (Copy copy : copies) {
      if (copy.is(matrix, form)) {
        return copy;
      }
    }
    return null;
  }

  private Copy copyOf(Operand<CudaBlock> matrix, Form form) {
    Copy copy = find(matrix, form);
    if (copy == null) {
      copy = new Copy();
      allocate(copy, matrix, form);
      copies.add(copy);
    }
    return copy;
  }

  private Copy reused(Operand<CudaBlock> matrix, Form form) {
    if (copies.size() < FACTORS) {
      copies.add(new Copy());
    }
    Copy copy = copies.get(next % copies.size());
    next = (next + 1) % FACTORS;
    if (copy.bytes < bytes(matrix, form)) {
      free(copy);
      allocate(copy, matrix, form);
    }
    return copy;
  }

  private void allocate(Copy copy, Operand<CudaBlock> matrix, Form form) {
    copy.address = memory.raw(bytes(matrix, form));
    copy.bytes = bytes(matrix, form);
    copy.original = matrix;
    copy.form = form;
  }

  private static long bytes(Operand<CudaBlock> matrix, Form form) {
    int rows = form == Form.WEIGHTS ? pitch(matrix.rows()) : matrix.rows();
    return Math.max(16, 2L * rows * pitch(matrix.columns()));
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
