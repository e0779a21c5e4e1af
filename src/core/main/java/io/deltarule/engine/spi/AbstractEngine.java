package io.deltarule.engine.spi;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Cursor;
import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineMemory;
import io.deltarule.engine.EngineMemoryException;
import io.deltarule.engine.Indices;
import io.deltarule.engine.Matrix;
import io.deltarule.engine.Output;
import io.deltarule.engine.Recording;
import io.deltarule.engine.UpdateRule;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * What all engines share: the checks of every call, the ownership of memory, and recording. An
 * implementation brings its kind of memory and one {@code launch} method for each equation, which
 * may rely on its operands: of this engine, open, of the right shapes, results apart from inputs.
 *
 * @param <B> the engine's kind of memory
 */
public abstract class AbstractEngine<B extends Block> implements Engine {
  private final Set<Allocation<B>> allocations = new LinkedHashSet<>();
  private final Call<B> call = new Call<>();
  private long allocatedBytes;
  private Tape<B> tape; // while recording
  private boolean closed;

  /** For implementations. */
  protected AbstractEngine() {}

  /** What the elements of a block are. */
  protected enum Element {
    /** 32-bit floats. */
    FLOAT,
    /** 32-bit integers. */
    INT
  }

  // What an implementation brings.

  /**
   * Allocates device memory, all zeros.
   *
   * @param elements at least 1
   * @param element what they are
   * @return the memory
   * @throws EngineMemoryException if there is no room; the message is completed by the caller
   */
  protected abstract B allocateBlock(long elements, Element element);

  /**
   * See {@link Engine#memory}.
   *
   * @return the bounds
   */
  protected abstract EngineMemory deviceMemory();

  /**
   * Copies from the host; the array is free for reuse afterwards.
   *
   * @param to the matrix
   * @param values as many
   */
  protected abstract void launchWrite(Operand<B> to, float[] values);

  /**
   * Copies from the host; the array is free for reuse afterwards.
   *
   * @param to the lists
   * @param values as many, all within bounds
   */
  protected abstract void launchWrite(IndexLists<B> to, int[] values);

  /**
   * Waits for the queued calls and copies to the host.
   *
   * @param from the matrix
   * @param values as many
   */
  protected abstract void launchRead(Operand<B> from, float[] values);

  /**
   * See {@link Engine#copy}.
   *
   * @param from the source
   * @param to the target
   */
  protected abstract void launchCopy(Operand<B> from, Operand<B> to);

  /**
   * See {@link Engine#set}.
   *
   * @param cursor to move
   * @param position where to
   */
  protected abstract void launchSet(StepCursor<B> cursor, int position);

  /**
   * See {@link Engine#advance}.
   *
   * @param cursor to move
   */
  protected abstract void launchAdvance(StepCursor<B> cursor);

  /**
   * See {@link Engine#gather}.
   *
   * @param data as there
   * @param rows as there
   * @param at as there
   * @param batch as there
   */
  protected abstract void launchGather(
      Operand<B> data, IndexLists<B> rows, StepCursor<B> at, Operand<B> batch);

  /**
   * See {@link Engine#forward}.
   *
   * @param x as there
   * @param w as there
   * @param b as there
   * @param f as there
   * @param saved as there
   * @param a as there
   */
  protected abstract void launchForward(
      Operand<B> x, Operand<B> w, Operand<B> b, Activation f, Operand<B> saved, Operand<B> a);

  /**
   * See {@link Engine#outputError}.
   *
   * @param output as there
   * @param z as there
   * @param y as there
   * @param d as there
   * @param losses as there
   * @param at as there
   */
  protected abstract void launchOutputError(
      Output output, Operand<B> z, Operand<B> y, Operand<B> d, Operand<B> losses, StepCursor<B> at);

  /**
   * See {@link Engine#propagate}.
   *
   * @param d as there
   * @param w as there
   * @param f as there
   * @param saved as there
   * @param e as there
   */
  protected abstract void launchPropagate(
      Operand<B> d, Operand<B> w, Activation f, Operand<B> saved, Operand<B> e);

  /**
   * See {@link Engine#gradients}.
   *
   * @param d as there
   * @param a as there
   * @param dw as there
   * @param db as there
   */
  protected abstract void launchGradients(Operand<B> d, Operand<B> a, Operand<B> dw, Operand<B> db);

  /**
   * See {@link Engine#update}.
   *
   * @param rule as there
   * @param theta as there
   * @param gradient as there
   * @param state as there
   * @param schedule as there
   * @param at as there
   */
  protected abstract void launchUpdate(
      UpdateRule rule,
      Operand<B> theta,
      Operand<B> gradient,
      Operand<B> state,
      Operand<B> schedule,
      StepCursor<B> at);

  /**
   * Prepares recorded launches for replay. An engine that can queue them more cheaply than by
   * launching each anew overrides this.
   *
   * @param launches calls of {@code launch} methods, in their order
   * @param scratch matrices whose numbers need not be there after a replay
   * @return what a replay runs
   */
  protected Replay compile(List<Runnable> launches, List<Operand<B>> scratch) {
    return Replay.of(launches);
  }

  /** Waits until the queued calls have finished. */
  protected abstract void awaitDevice();

  /** Frees what is not a block: queues, contexts, threads. Called once, after all blocks. */
  protected abstract void releaseDevice();

  // Memory.

  @Override
  public final Matrix allocate(String name, int rows, int columns) {
    if (rows < 0 || columns < 0) {
      throw new IllegalArgumentException(
          "allocate: %s [%d x %d] has a negative size".formatted(name, rows, columns));
    }
    long elements = (long) rows * columns;
    return new Operand<>(
        reserve("allocate", name, elements, Element.FLOAT), 0, rows, columns, false);
  }

  @Override
  public final Indices allocateIndices(String name, int rows, int columns, int bound) {
    if (rows < 0 || columns < 0 || bound < 1) {
      throw new IllegalArgumentException(
          "allocateIndices: %s [%d x %d] below %d: sizes must be at least 0, the bound at least 1"
              .formatted(name, rows, columns, bound));
    }
    long elements = (long) rows * columns;
    return new IndexLists<>(
        reserve("allocateIndices", name, elements, Element.INT), rows, columns, bound);
  }

  @Override
  public final Cursor allocateCursor(String name) {
    return new StepCursor<>(reserve("allocateCursor", name, 1, Element.INT));
  }

  private Allocation<B> reserve(String operation, String name, long elements, Element element) {
    requireIdle(operation);
    B block;
    try {
      block = allocateBlock(Math.max(1, elements), element);
    } catch (EngineMemoryException e) {
      throw new EngineMemoryException(
          "%s: no room for %s, %s: %s%s"
              .formatted(operation, name, bytes(4 * elements), e.getMessage(), largest()),
          e.getCause());
    }
    Allocation<B> allocation = new Allocation<>(this, name, elements, block);
    allocations.add(allocation);
    allocatedBytes += allocation.bytes();
    return allocation;
  }

  private String largest() {
    String items =
        allocations.stream()
            .sorted(Comparator.comparingLong((Allocation<B> a) -> a.bytes()).reversed())
            .limit(3)
            .map(a -> a.name() + " " + bytes(a.bytes()))
            .collect(Collectors.joining(", "));
    return items.isEmpty() ? "" : "; held: " + bytes(allocatedBytes) + ", the largest " + items;
  }

  private static String bytes(long bytes) {
    return bytes < 10_000_000 ? bytes + " bytes" : bytes / 1_000_000 + " MB";
  }

  void forget(Allocation<B> allocation) {
    if (tape != null) {
      throw new IllegalStateException("close of " + allocation.name() + " cannot be recorded");
    }
    allocations.remove(allocation);
    allocatedBytes -= allocation.bytes();
  }

  @Override
  public final long allocatedBytes() {
    return allocatedBytes;
  }

  @Override
  public final void finish() {
    requireIdle("finish");
    awaitDevice();
  }

  @Override
  public final EngineMemory memory() {
    requireOpen("memory");
    return deviceMemory();
  }

  @Override
  public final void close() {
    if (!closed) {
      requireIdle("close");
      closed = true;
      List.copyOf(allocations).forEach(Allocation::close);
      releaseDevice();
    }
  }

  // Traffic.

  @Override
  public final void write(Matrix to, float[] values) {
    requireIdle("write");
    call.begin(this, "write");
    Operand<B> target = call.matrix("to", to);
    requireLength(target, values);
    call.end();
    launchWrite(target, values);
  }

  @Override
  public final void write(Indices to, int[] values) {
    requireIdle("write");
    call.begin(this, "write");
    IndexLists<B> target = call.indices("to", to);
    call.require(values != null, "the array is null");
    if (target != null && values != null) {
      if ((long) target.rows() * target.columns() != values.length) {
        call.require(false, "there are " + values.length + " values");
      }
      for (int value : values) {
        if (value < 0 || value >= target.bound()) {
          call.require(false, "value " + value + " is out of bounds");
          break;
        }
      }
    }
    call.end();
    launchWrite(target, values);
  }

  @Override
  public final void read(Matrix from, float[] values) {
    requireIdle("read");
    call.begin(this, "read");
    Operand<B> source = call.matrix("from", from);
    requireLength(source, values);
    call.end();
    launchRead(source, values);
  }

  private void requireLength(Operand<B> matrix, float[] values) {
    if (values == null) {
      call.require(false, "the array is null");
    } else if (matrix != null && matrix.size() != values.length) {
      call.require(false, "the array has " + values.length + " elements");
    }
  }

  @Override
  public final void copy(Matrix from, Matrix to) {
    Operand<B> source = begin("copy").matrix("from", from);
    Operand<B> target = call.matrix("to", to);
    if (source != null) {
      call.shape("to", target, source.rows(), source.columns(), "of the shape of from");
    }
    call.distinct("to", target, "from", source);
    call.end();
    if (tape == null) {
      launchCopy(source, target);
    } else {
      tape.add(call.allocations(), () -> launchCopy(source, target));
    }
  }

  @Override
  public final void set(Cursor cursor, int position) {
    requireIdle("set");
    call.begin(this, "set");
    StepCursor<B> moved = call.cursor("cursor", cursor);
    if (position < 0) {
      call.require(false, "position " + position + " is negative");
    }
    call.end();
    launchSet(moved, position);
    moved.move(position);
  }

  @Override
  public final void advance(Cursor cursor) {
    StepCursor<B> moved = begin("advance").cursor("cursor", cursor);
    if (moved != null && tape == null && moved.position() == Integer.MAX_VALUE) {
      call.require(false, "the cursor stands at the largest position");
    }
    call.end();
    if (tape == null) {
      launchAdvance(moved);
      moved.move(moved.position() + 1);
    } else {
      tape.add(call.allocations(), () -> launchAdvance(moved));
      tape.advance(moved);
    }
  }

  // The equations.

  @Override
  public final void gather(Matrix data, Indices rows, Cursor at, Matrix batch) {
    Operand<B> source = begin("gather").matrix("data", data);
    IndexLists<B> lists = call.indices("rows", rows);
    StepCursor<B> cursor = call.cursor("at", at);
    Operand<B> target = call.matrix("batch", batch);
    if (source != null && lists != null) {
      call.require(
          source.rows() >= lists.bound(), "data must have at least as many rows as rows' bound");
      call.shape("batch", target, -1, source.columns(), "[m x columns of data]");
    }
    if (target != null && lists != null) {
      call.require(target.rows() <= lists.columns(), "batch has more rows than a list is long");
    }
    call.distinct("batch", target, "data", source);
    requireWithin(cursor, "rows", lists == null ? 0 : lists.rows());
    call.end();
    if (tape == null) {
      launchGather(source, lists, cursor, target);
    } else {
      tape.add(call.allocations(), () -> launchGather(source, lists, cursor, target));
      tape.limit(cursor, lists.rows(), "gather: rows");
    }
  }

  @Override
  public final void forward(Matrix x, Matrix w, Matrix b, Activation f, Matrix saved, Matrix a) {
    Operand<B> inputs = begin("forward").matrix("X", x);
    Operand<B> weights = call.matrix("W", w);
    Operand<B> biases = call.matrix("b", b);
    Operand<B> kept = call.matrix("saved", saved);
    Operand<B> result = call.matrix("A", a);
    if (inputs != null && weights != null) {
      call.shape("W", weights, -1, inputs.columns(), "[n x columns of X]");
      call.shape("b", biases, 1, weights.rows(), "[1 x rows of W]");
      call.shape("A", result, inputs.rows(), weights.rows(), "[rows of X x rows of W]");
      call.shape("saved", kept, inputs.rows(), weights.rows(), "[rows of X x rows of W]");
    }
    call.distinct("A", result, "X", inputs);
    call.distinct("A", result, "W", weights);
    call.distinct("A", result, "b", biases);
    call.require(f != null, "the activation is null");
    if (f != null && f.savesInput()) {
      call.distinct("saved", kept, "A", result);
      call.distinct("saved", kept, "X", inputs);
      call.distinct("saved", kept, "W", weights);
      call.distinct("saved", kept, "b", biases);
    } else if (kept != null && result != null) {
      call.require(kept.coincides(result), "saved must be A itself for this activation");
    }
    call.end();
    if (tape == null) {
      launchForward(inputs, weights, biases, f, kept, result);
    } else {
      tape.add(call.allocations(), () -> launchForward(inputs, weights, biases, f, kept, result));
    }
  }

  @Override
  public final void outputError(
      Output output, Matrix z, Matrix y, Matrix d, Matrix losses, Cursor at) {
    Operand<B> logits = begin("outputError").matrix("Z", z);
    Operand<B> targets = call.matrix("Y", y);
    Operand<B> error = call.matrix("D", d);
    Operand<B> results = call.matrix("losses", losses);
    StepCursor<B> cursor = call.cursor("at", at);
    call.require(output != null, "the output is null");
    if (logits != null) {
      call.shape("Y", targets, logits.rows(), logits.columns(), "of the shape of Z");
      call.shape("D", error, logits.rows(), logits.columns(), "of the shape of Z");
    }
    call.shape("losses", results, -1, 1, "[any x 1]");
    call.distinct("D", error, "Z", logits);
    call.distinct("D", error, "Y", targets);
    call.distinct("losses", results, "Z", logits);
    call.distinct("losses", results, "Y", targets);
    call.distinct("losses", results, "D", error);
    requireWithin(cursor, "losses", results == null ? 0 : results.rows());
    call.end();
    if (tape == null) {
      launchOutputError(output, logits, targets, error, results, cursor);
    } else {
      tape.add(
          call.allocations(),
          () -> launchOutputError(output, logits, targets, error, results, cursor));
      tape.limit(cursor, results.rows(), "outputError: losses");
    }
  }

  @Override
  public final void propagate(Matrix d, Matrix w, Activation f, Matrix saved, Matrix e) {
    Operand<B> error = begin("propagate").matrix("D", d);
    Operand<B> weights = call.matrix("W", w);
    Operand<B> kept = call.matrix("saved", saved);
    Operand<B> result = call.matrix("E", e);
    call.require(f != null, "the activation is null");
    if (error != null && weights != null) {
      call.shape("W", weights, error.columns(), -1, "[columns of D x k]");
      call.shape("saved", kept, error.rows(), weights.columns(), "[rows of D x columns of W]");
      call.shape("E", result, error.rows(), weights.columns(), "[rows of D x columns of W]");
    }
    call.distinct("E", result, "D", error);
    call.distinct("E", result, "W", weights);
    call.distinct("E", result, "saved", kept);
    call.end();
    if (tape == null) {
      launchPropagate(error, weights, f, kept, result);
    } else {
      tape.add(call.allocations(), () -> launchPropagate(error, weights, f, kept, result));
    }
  }

  @Override
  public final void gradients(Matrix d, Matrix a, Matrix dw, Matrix db) {
    Operand<B> error = begin("gradients").matrix("D", d);
    Operand<B> inputs = call.matrix("A", a);
    Operand<B> weightGradient = call.matrix("dW", dw);
    Operand<B> biasGradient = call.matrix("db", db);
    if (error != null && inputs != null) {
      call.shape("A", inputs, error.rows(), -1, "[rows of D x k]");
      call.shape(
          "dW", weightGradient, error.columns(), inputs.columns(), "[columns of D x columns of A]");
      call.shape("db", biasGradient, 1, error.columns(), "[1 x columns of D]");
    }
    call.distinct("dW", weightGradient, "D", error);
    call.distinct("dW", weightGradient, "A", inputs);
    call.distinct("db", biasGradient, "D", error);
    call.distinct("db", biasGradient, "A", inputs);
    call.distinct("db", biasGradient, "dW", weightGradient);
    call.end();
    if (tape == null) {
      launchGradients(error, inputs, weightGradient, biasGradient);
    } else {
      tape.add(
          call.allocations(), () -> launchGradients(error, inputs, weightGradient, biasGradient));
    }
  }

  @Override
  public final void update(
      UpdateRule rule, Matrix theta, Matrix gradient, Matrix state, Matrix schedule, Cursor at) {
    Operand<B> parameters = begin("update").matrix("theta", theta);
    Operand<B> slope = call.matrix("gradient", gradient);
    Operand<B> memory = call.matrix("state", state);
    Operand<B> scalars = call.matrix("schedule", schedule);
    StepCursor<B> cursor = call.cursor("at", at);
    call.require(rule != null, "the rule is null");
    call.shape("theta", parameters, 1, -1, "[1 x p]");
    if (parameters != null) {
      call.shape("gradient", slope, 1, parameters.columns(), "of the shape of theta");
    }
    if (parameters != null && rule != null) {
      call.shape("state", memory, rule.stateRows(), parameters.columns(), "[state rows x p]");
    }
    call.shape("schedule", scalars, -1, UpdateRule.SCALARS, "[any x 4]");
    call.distinct("theta", parameters, "gradient", slope);
    call.distinct("theta", parameters, "state", memory);
    call.distinct("theta", parameters, "schedule", scalars);
    call.distinct("state", memory, "gradient", slope);
    call.distinct("state", memory, "schedule", scalars);
    requireWithin(cursor, "schedule", scalars == null ? 0 : scalars.rows());
    call.end();
    if (tape == null) {
      launchUpdate(rule, parameters, slope, memory, scalars, cursor);
    } else {
      tape.add(
          call.allocations(), () -> launchUpdate(rule, parameters, slope, memory, scalars, cursor));
      tape.limit(cursor, scalars.rows(), "update: schedule");
    }
  }

  // Recording.

  @Override
  public final Recording record(Runnable calls, List<Matrix> scratch) {
    requireIdle("record");
    List<Operand<B>> unread = new ArrayList<>();
    for (Matrix matrix : scratch) {
      call.begin(this, "record");
      unread.add(call.matrix("scratch", matrix));
      call.end();
    }
    Tape<B> recorded = new Tape<>(this);
    tape = recorded;
    try {
      calls.run();
    } finally {
      tape = null;
    }
    recorded.compile(unread);
    return recorded;
  }

  void requireIdle(String operation) {
    requireOpen(operation);
    if (tape != null) {
      throw new IllegalStateException(operation + " cannot be recorded");
    }
  }

  private void requireOpen(String operation) {
    if (closed) {
      throw new IllegalStateException(operation + ": the engine is closed");
    }
  }

  private Call<B> begin(String operation) {
    requireOpen(operation);
    return call.begin(this, operation);
  }

  /** While recording, the cursor's place is not known yet: the tape checks it at each replay. */
  private void requireWithin(StepCursor<B> cursor, String what, int rows) {
    if (cursor != null && tape == null && cursor.position() >= rows) {
      call.require(false, "the cursor stands past the end of " + what);
    }
  }
}
