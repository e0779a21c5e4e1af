package io.deltarule.cuda;

import io.deltarule.cuda.Copies.Form;
import io.deltarule.engine.spi.Operand;
import java.util.ArrayList;
import java.util.List;

/**
 * The copies in bf16 of weights that are carried from replay to replay: the update that ends a step
 * writes those that the next one begins with. All recordings of an engine share them, since steps
 * of several recordings may take turns. A copy is made anew only where something else has written
 * to the block of its matrix since.
 */
final class WeightCopies {
  private static final long NONE = -1; // no version

  private final Memory memory;
  private final List<WeightCopy> copies = new ArrayList<>();

  /** A copy, and how many recordings use it. */
  static final class WeightCopy {
    private final Operand<CudaBlock> matrix;
    private final Address address;
    private final long bytes;
    private int users;
    private long version = NONE; // of the matrix's block, when the copy was written

    private WeightCopy(Operand<CudaBlock> matrix, Address address, long bytes) {
      this.matrix = matrix;
      this.address = address;
      this.bytes = bytes;
    }

    Operand<CudaBlock> matrix() {
      return matrix;
    }

    Address address() {
      return address;
    }

    /** Makes the copy, unless it is that of the matrix as it is now. */
    void refresh(Copies.Maker maker) {
      if (version != matrix.block().version()) {
        maker.make(matrix, Form.WEIGHTS, address);
        written();
      }
    }

    /** Notes that it has been written as the matrix is now. */
    void written() {
      version = matrix.block().version();
    }
  }

  WeightCopies(Memory memory) {
    this.memory = memory;
  }

  /** The copy of a matrix for one recording more, with anything in it if it is the first. */
  WeightCopy use(Operand<CudaBlock> matrix) {
    WeightCopy copy = find(matrix);
    if (copy == null) {
      long bytes = Copies.bytes(matrix, Form.WEIGHTS);
      copy = new WeightCopy(matrix, memory.raw(bytes), bytes);
      copies.add(copy);
    }
    copy.users++;
    return copy;
  }

  private WeightCopy find(Operand<CudaBlock> matrix) {
    for (WeightCopy copy : copies) {
      if (copy.matrix.coincides(matrix)) {
        return copy;
      }
    }
    return null;
  }

  /** Frees the copy if no other recording uses it. */
  void leave(WeightCopy copy) {
    if (--copy.users == 0) {
      copies.remove(copy);
      memory.free(copy.address, copy.bytes);
    }
  }
}
