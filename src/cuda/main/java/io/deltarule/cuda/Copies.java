package io.deltarule.cuda;

import io.deltarule.cuda.WeightCopies.WeightCopy;
import io.deltarule.engine.spi.Operand;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * The copies of matrices in bf16 that products of cuBLAS take as factors in their place. Within a
 * recording a copy lives on until its matrix is written to again, and what computes the matrix may
 * write the copy, too; outside of one it is made for one product only. Those of weights may be
 * {@linkplain WeightCopies carried} from replay to replay.
 */
final class Copies implements AutoCloseable {
  private static final int FACTORS = 2; // of a product

  /** A row of a copy in bf16 is a multiple of so many numbers long: 16 bytes. */
  private static final int PITCH = 8;

  /** The room in update_bf16.cu's table, its COPIES; what is beyond is rounded in each replay. */
  private static final int MOST_CARRIED = 32;

  private final Memory memory;
  private final WeightCopies weights; // null outside of recordings
  private final boolean kept;
  private final List<WeightCopy> carried = new ArrayList<>();
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
    private Address address; // null until it is needed
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

  /**
   * No copies yet.
   *
   * @param weights that the recording may carry; null outside of recordings
   */
  Copies(Memory memory, WeightCopies weights) {
    this.memory = memory;
    this.weights = weights;
    kept = weights != null;
  }

  /** The length of a row in bf16 that holds so many columns. */
  static int pitch(int columns) {
    return Math.toIntExact(Kernels.ceil(columns, PITCH) * PITCH);
  }

  /** The copy of a matrix, made now unless there is one. */
  Address of(Operand<CudaBlock> matrix, Form form, Maker maker) {
    if (form == Form.WEIGHTS) {
      for (WeightCopy copy : carried) {
        if (copy.matrix().coincides(matrix)) {
          return copy.address();
        }
      }
    }
    Copy copy = kept ? copyOf(matrix, form) : reused(matrix, form);
    Address address = address(copy);
    if (!copy.valid) {
      maker.make(matrix, form, address);
      copy.valid = kept;
    }
    return address;
  }

  /** Announces that a copy will be asked for. */
  void expect(Operand<CudaBlock> matrix, Form form) {
    if (kept) {
      copyOf(matrix, form);
    }
  }

  /** Whether the copy in bf16 of a matrix that is being computed will be asked for. */
  boolean isExpected(Operand<CudaBlock> matrix) {
    return kept && find(matrix, Form.HALF) != null;
  }

  /** Where to write it; null if it is not expected. */
  Address toWrite(Operand<CudaBlock> matrix) {
    return isExpected(matrix) ? address(find(matrix, Form.HALF)) : null;
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

  /**
   * Decides which of the expected copies of weights are carried: those whose matrix nothing writes
   * among the calls of the recording, or updates alone, each of the whole matrix. An update writes
   * them with the matrix, so that they are true throughout a replay, if they are before it.
   */
  void carry(List<Op> ops) {
    for (Copy copy : List.copyOf(copies)) {
      Operand<CudaBlock> matrix = copy.original;
      if (copy.form == Form.WEIGHTS
          && matrix.size() <= Integer.MAX_VALUE
          && carried.size() < MOST_CARRIED
          && carried.stream().noneMatch(other -> other.matrix().overlaps(matrix))
          && ops.stream().allMatch(op -> leavesOrUpdates(op, matrix))) {
        carried.add(weights.use(matrix));
        copies.remove(copy);
      }
    }
  }

  private static boolean leavesOrUpdates(Op op, Operand<CudaBlock> matrix) {
    return op.results().stream().noneMatch(matrix::overlaps)
        || op instanceof Op.Update update && matrix.liesWithin(update.theta());
  }

  /** The carried copies of the matrices within theta, in their order there. */
  List<WeightCopy> carriedIn(Operand<CudaBlock> theta) {
    return carried.stream()
        .filter(copy -> copy.matrix().liesWithin(theta))
        .sorted(Comparator.comparingLong(copy -> copy.matrix().offset()))
        .toList();
  }

  /** Makes the carried copies that are not those of their matrices as they are now. */
  void refresh(Maker maker) {
    carried.forEach(copy -> copy.refresh(maker));
  }

  /** Notes that a replay has left the carried copies as their matrices are now. */
  void replayed() {
    carried.forEach(WeightCopy::written);
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
      copy.original = matrix;
      copy.form = form;
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
    }
    copy.original = matrix;
    copy.form = form;
    return copy;
  }

  private Address address(Copy copy) {
    if (copy.address == null) {
      long bytes = bytes(copy.original, copy.form);
      copy.address = memory.raw(bytes);
      copy.bytes = bytes;
    }
    return copy.address;
  }

  /** The size of a copy. */
  static long bytes(Operand<CudaBlock> matrix, Form form) {
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
    carried.forEach(copy -> weights.leave(copy));
    carried.clear();
  }
}
