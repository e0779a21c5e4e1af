package io.deltarule.cuda;

import io.deltarule.engine.spi.Operand;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * The copies of matrices in bf16 that products of cuBLAS take as factors in their place. Within a
 * recording a copy lives on until its matrix is written to again, and what computes the matrix may
 * write the copy, too; outside of one it is made for one product only.
 *
 * <p>Copies of weights are carried from replay to replay: the update that ends a step writes those
 * that the next one begins with. Such a copy is made anew only where something else has written to
 * the block of its matrix since.
 */
final class Copies implements AutoCloseable {
  private static final int FACTORS = 2; // of a product

  /** A row of a copy in bf16 is a multiple of so many numbers long: 16 bytes. */
  private static final int PITCH = 8;

  /** The room in update_bf16.cu's table, its COPIES; what is beyond is rounded in each replay. */
  private static final int MOST_CARRIED = 32;

  private static final long NONE = -1; // no version

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
    private boolean carried;
    private long version = NONE; // of the matrix's block, while carried

    private boolean is(Operand<CudaBlock> matrix, Form wanted) {
      return form == wanted && original.coincides(matrix);
    }
  }

  /** A copy of weights that lives on from replay to replay. */
  record Carried(Operand<CudaBlock> matrix, Address address) {}

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
        copy.valid = copy.carried || withHalf && copy.is(matrix, Form.HALF);
      }
    }
  }

  /**
   * Decides which of the expected copies of weights are carried: those whose matrix nothing writes
   * among the calls of the recording, or updates alone, each of the whole matrix. An update writes
   * them with the matrix, so that they are true throughout a replay, if they are before it.
   */
  void carry(List<Op> ops) {
    List<Copy> carried = new ArrayList<>();
    for (Copy copy : copies) {
      Operand<CudaBlock> matrix = copy.original;
      if (copy.form == Form.WEIGHTS
          && matrix.size() <= Integer.MAX_VALUE
          && carried.size() < MOST_CARRIED
          && carried.stream().noneMatch(other -> other.original.overlaps(matrix))
          && ops.stream().allMatch(op -> leavesOrUpdates(op, matrix))) {
        carried.add(copy);
        copy.carried = true;
        copy.valid = true;
      }
    }
  }

  private static boolean leavesOrUpdates(Op op, Operand<CudaBlock> matrix) {
    return op.results().stream().noneMatch(matrix::overlaps)
        || op instanceof Op.Update update && matrix.liesWithin(update.theta());
  }

  /** The carried copies of the matrices within theta, in their order there. */
  List<Carried> carriedIn(Operand<CudaBlock> theta) {
    return copies.stream()
        .filter(copy -> copy.carried && copy.original.liesWithin(theta))
        .map(copy -> new Carried(copy.original, copy.address))
        .sorted(Comparator.comparingLong(copy -> copy.matrix().offset()))
        .toList();
  }

  /** Makes the carried copies that are not those of their matrices as they are now. */
  void refresh(Maker maker) {
    for (Copy copy : copies) {
      if (copy.carried && copy.version != copy.original.block().version()) {
        maker.make(copy.original, copy.form, copy.address);
        copy.version = copy.original.block().version();
      }
    }
  }

  /** Notes that a replay has left the carried copies as their matrices are now. */
  void replayed() {
    for (Copy copy : copies) {
      if (copy.carried) {
        copy.version = copy.original.block().version();
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
