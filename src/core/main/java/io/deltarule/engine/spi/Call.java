package io.deltarule.engine.spi;

import io.deltarule.engine.Cursor;
import io.deltarule.engine.Indices;
import io.deltarule.engine.Matrix;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Checks the operands of one call and collects everything that is wrong with them, so that one
 * message lists all violations and all shapes. One instance serves an engine: nothing is allocated
 * while all is well.
 */
final class Call<B extends Block> {
  private static final int MOST_OPERANDS = 8;

  private AbstractEngine<B> engine;
  private final Object[] operands = new Object[MOST_OPERANDS];
  private final String[] names = new String[MOST_OPERANDS];
  private final Allocation<?>[] used = new Allocation<?>[MOST_OPERANDS];
  private final List<String> violations = new ArrayList<>();
  private String operation;
  private int count;

  Call<B> begin(AbstractEngine<B> caller, String name) {
    engine = caller;
    operation = name;
    count = 0;
    violations.clear();
    return this;
  }

  @SuppressWarnings("unchecked") // an Operand whose allocation is this engine's holds a B
  Operand<B> matrix(String name, Matrix matrix) {
    Allocation<?> allocation = matrix instanceof Operand<?> m ? m.allocation() : null;
    return register(name, matrix, allocation) ? (Operand<B>) matrix : null;
  }

  @SuppressWarnings("unchecked") // as above
  IndexLists<B> indices(String name, Indices indices) {
    Allocation<?> allocation = indices instanceof IndexLists<?> i ? i.allocation() : null;
    return register(name, indices, allocation) ? (IndexLists<B>) indices : null;
  }

  @SuppressWarnings("unchecked") // as above
  StepCursor<B> cursor(String name, Cursor cursor) {
    Allocation<?> allocation = cursor instanceof StepCursor<?> c ? c.allocation() : null;
    return register(name, cursor, allocation) ? (StepCursor<B>) cursor : null;
  }

  private boolean register(String name, Object operand, Allocation<?> allocation) {
    operands[count] = operand;
    names[count] = name;
    used[count++] = allocation;
    if (operand == null) {
      violations.add(name + " is null");
    } else if (allocation == null || allocation.engine() != engine) {
      violations.add(name + " belongs to another engine");
    } else if (allocation.closed()) {
      violations.add(name + " is closed");
    } else {
      return true;
    }
    return false;
  }

  /**
   * Checks a shape, given in words; -1 stands for any number. Null operands were reported before.
   */
  void shape(String name, Operand<B> matrix, long rows, long columns, String expected) {
    if (matrix != null
        && ((rows >= 0 && matrix.rows() != rows)
            || (columns >= 0 && matrix.columns() != columns))) {
      violations.add(name + " must be " + expected);
    }
  }

  void require(boolean condition, String violation) {
    if (!condition) {
      violations.add(violation);
    }
  }

  /** Checks that a result shares no memory with another operand. */
  void distinct(String name, Operand<B> result, String otherName, Operand<B> other) {
    if (result != null && other != null && result.overlaps(other)) {
      violations.add(name + " must not overlap " + otherName);
    }
  }

  /** Ends the checks. */
  void end() {
    if (!violations.isEmpty()) {
      throw new IllegalArgumentException(message());
    }
  }

  /** The allocations that the call uses, for recordings; valid until the next call. */
  List<Allocation<?>> allocations() {
    return Arrays.asList(used).subList(0, count);
  }

  private String message() {
    StringBuilder text = new StringBuilder(operation).append(": ");
    text.append(String.join("; ", violations)).append(" (");
    for (int i = 0; i < count; i++) {
      text.append(i == 0 ? "" : ", ").append(names[i]).append(" = ").append(operands[i]);
    }
    return text.append(")").toString();
  }
}
