package io.deltarule.engine;

import io.deltarule.engine.spi.AbstractEngine;
import io.deltarule.engine.spi.Block;
import io.deltarule.engine.spi.IndexLists;
import io.deltarule.engine.spi.Operand;
import io.deltarule.engine.spi.StepCursor;
import io.deltarule.reference.Reference;
import io.deltarule.reference.ReferenceNetwork;
import java.util.Arrays;

/**
 * The reference as an engine: 32-bit memory, each equation in double precision by {@link
 * Reference}, one rounding at its end. It proves that the contract can be met, and is the sound
 * half of every broken engine that proves what the contract finds.
 */
class ReferenceEngine extends AbstractEngine<ReferenceEngine.Memory> {

  /** Memory of either kind. */
  static final class Memory implements Block {
    private float[] floats;
    private int[] ints;

    float[] floats() {
      return floats;
    }

    @Override
    public void release() {
      floats = null;
      ints = null;
    }
  }

  @Override
  protected EngineMemory deviceMemory() {
    return new EngineMemory(Long.MAX_VALUE, Long.MAX_VALUE);
  }

  @Override
  public EngineDescription description() {
    return new EngineDescription("reference", "double precision", Precision.FP32);
  }

  @Override
  protected Memory allocateBlock(long elements, Element element) {
    Memory memory = new Memory();
    if (element == Element.FLOAT) {
      memory.floats = new float[Math.toIntExact(elements)];
    } else {
      memory.ints = new int[Math.toIntExact(elements)];
    }
    return memory;
  }

  /** The numbers of a matrix, [rows x columns]. */
  static double[][] get(Operand<Memory> matrix) {
    int from = (int) matrix.offset();
    float[] values = Arrays.copyOfRange(matrix.block().floats, from, from + (int) matrix.size());
    return ReferenceNetwork.rows(values, matrix.rows(), matrix.columns());
  }

  /** Rounds numbers into a matrix. */
  static void put(double[][] values, Operand<Memory> matrix) {
    int at = (int) matrix.offset();
    for (double[] row : values) {
      for (double value : row) {
        matrix.block().floats[at++] = (float) value;
      }
    }
  }

  /** Sets one number, counted from the start of a matrix, if its block reaches that far. */
  static void poke(Operand<Memory> matrix, int at, float value) {
    int place = (int) matrix.offset() + at;
    if (place < matrix.block().floats.length) {
      matrix.block().floats[place] = value;
    }
  }

  static int position(StepCursor<Memory> cursor) {
    return cursor.block().ints[0];
  }

  @Override
  protected void launchWrite(Operand<Memory> to, float[] values) {
    System.arraycopy(values, 0, to.block().floats, (int) to.offset(), values.length);
  }

  @Override
  protected void launchWrite(IndexLists<Memory> to, int[] values) {
    System.arraycopy(values, 0, to.block().ints, 0, values.length);
  }

  @Override
  protected void launchRead(Operand<Memory> from, float[] values) {
    System.arraycopy(from.block().floats, (int) from.offset(), values, 0, values.length);
  }

  @Override
  protected void launchCopy(Operand<Memory> from, Operand<Memory> to) {
    System.arraycopy(
        from.block().floats,
        (int) from.offset(),
        to.block().floats,
        (int) to.offset(),
        (int) from.size());
  }

  @Override
  protected void launchSet(StepCursor<Memory> cursor, int position) {
    cursor.block().ints[0] = position;
  }

  @Override
  protected void launchAdvance(StepCursor<Memory> cursor) {
    cursor.block().ints[0]++;
  }

  @Override
  protected void launchGather(
      Operand<Memory> data, IndexLists<Memory> rows, StepCursor<Memory> at, Operand<Memory> batch) {
    int from = position(at) * rows.columns();
    int[] list = Arrays.copyOfRange(rows.block().ints, from, from + rows.columns());
    put(Reference.gather(get(data), list, batch.rows()), batch);
  }

  @Override
  protected void launchForward(
      Operand<Memory> x,
      Operand<Memory> w,
      Operand<Memory> b,
      Activation f,
      Operand<Memory> saved,
      Operand<Memory> a) {
    double[][] z = Reference.preActivations(get(x), get(w), get(b)[0]);
    if (f.savesInput()) {
      put(z, saved);
    }
    put(Reference.activations(f, z), a);
  }

  @Override
  protected void launchOutputError(
      Output output,
      Operand<Memory> z,
      Operand<Memory> y,
      Operand<Memory> d,
      Operand<Memory> losses,
      StepCursor<Memory> at) {
    double[][] logits = get(z);
    double[][] targets = get(y);
    put(Reference.outputError(output, logits, targets), d);
    putLoss(Reference.meanLoss(output, logits, targets), losses, at);
  }

  static void putLoss(double loss, Operand<Memory> losses, StepCursor<Memory> at) {
    losses.block().floats[(int) losses.offset() + position(at)] = (float) loss;
  }

  @Override
  protected void launchPropagate(
      Operand<Memory> d,
      Operand<Memory> w,
      Activation f,
      Operand<Memory> saved,
      Operand<Memory> e) {
    put(Reference.propagate(get(d), get(w), f, get(saved)), e);
  }

  @Override
  protected void launchGradients(
      Operand<Memory> d, Operand<Memory> a, Operand<Memory> dw, Operand<Memory> db) {
    put(Reference.weightGradient(get(d), get(a), dw.rows(), dw.columns()), dw);
    put(new double[][] {Reference.biasGradient(get(d), db.columns())}, db);
  }

  @Override
  protected void launchUpdate(
      UpdateRule rule,
      Operand<Memory> theta,
      Operand<Memory> gradient,
      Operand<Memory> state,
      Operand<Memory> schedule,
      StepCursor<Memory> at) {
    double[][] parameters = get(theta);
    double[][] memory = get(state);
    Reference.update(rule, parameters[0], get(gradient)[0], memory, get(schedule)[position(at)]);
    put(parameters, theta);
    put(memory, state);
  }

  @Override
  protected void awaitDevice() {}

  @Override
  protected void releaseDevice() {}
}
