package io.deltarule.host;

import io.deltarule.engine.Activation;
import io.deltarule.engine.EngineDescription;
import io.deltarule.engine.EngineMemory;
import io.deltarule.engine.Output;
import io.deltarule.engine.Precision;
import io.deltarule.engine.UpdateRule;
import io.deltarule.engine.spi.AbstractEngine;
import io.deltarule.engine.spi.IndexLists;
import io.deltarule.engine.spi.Operand;
import io.deltarule.engine.spi.StepCursor;
import java.util.function.Function;

/** The engine in pure Java: matrices are ranges of arrays, and every call is done on return. */
final class HostEngine extends AbstractEngine<HostBlock> {
  private final EngineDescription description;
  private final Workers workers;
  private final Kernels kernels;
  private final OutputErrors outputErrors;

  HostEngine(int threads, Function<Workers, Kernels> kind) {
    workers = new Workers(threads);
    kernels = kernels(kind);
    description =
        new EngineDescription(
            HostEngineProvider.NAME, HostEngineProvider.device(threads, kernels), Precision.FP32);
    outputErrors = new OutputErrors(workers);
  }

  private Kernels kernels(Function<Workers, Kernels> kind) {
    try {
      return kind.apply(workers);
    } catch (RuntimeException | Error e) {
      workers.close();
      throw e;
    }
  }

  @Override
  public EngineDescription description() {
    return description;
  }

  @Override
  protected EngineMemory deviceMemory() {
    return new EngineMemory(
        HostBlock.bytesLeft() + allocatedBytes(), Float.BYTES * (long) HostBlock.LONGEST);
  }

  @Override
  protected HostBlock allocateBlock(long elements, Element element) {
    return element == Element.FLOAT ? HostBlock.floats(elements) : HostBlock.ints(elements);
  }

  @Override
  protected void launchWrite(Operand<HostBlock> to, float[] values) {
    System.arraycopy(values, 0, to.block().floats(), (int) to.offset(), values.length);
  }

  @Override
  protected void launchWrite(IndexLists<HostBlock> to, int[] values) {
    System.arraycopy(values, 0, to.block().ints(), 0, values.length);
  }

  @Override
  protected void launchRead(Operand<HostBlock> from, float[] values) {
    System.arraycopy(from.block().floats(), (int) from.offset(), values, 0, values.length);
  }

  @Override
  protected void launchCopy(Operand<HostBlock> from, Operand<HostBlock> to) {
    System.arraycopy(
        from.block().floats(),
        (int) from.offset(),
        to.block().floats(),
        (int) to.offset(),
        (int) from.size());
  }

  @Override
  protected void launchSet(StepCursor<HostBlock> cursor, int position) {
    cursor.block().ints()[0] = position;
  }

  @Override
  protected void launchAdvance(StepCursor<HostBlock> cursor) {
    cursor.block().ints()[0]++;
  }

  @Override
  protected void launchGather(
      Operand<HostBlock> data,
      IndexLists<HostBlock> rows,
      StepCursor<HostBlock> at,
      Operand<HostBlock> batch) {
    float[] from = data.block().floats();
    float[] to = batch.block().floats();
    int[] list = rows.block().ints();
    int first = at.block().ints()[0] * rows.columns();
    int n = batch.columns();
    int atData = (int) data.offset();
    int atBatch = (int) batch.offset();
    if (n == 1) { // targets, mostly
      for (int i = 0; i < batch.rows(); i++) {
        to[atBatch + i] = from[atData + list[first + i]];
      }
      return;
    }
    for (int i = 0; i < batch.rows(); i++) {
      System.arraycopy(from, atData + list[first + i] * n, to, atBatch + i * n, n);
    }
  }

  @Override
  protected void launchForward(
      Operand<HostBlock> x,
      Operand<HostBlock> w,
      Operand<HostBlock> b,
      Activation f,
      Operand<HostBlock> saved,
      Operand<HostBlock> a) {
    kernels.forward(x, w, b, f, saved, a);
  }

  @Override
  protected void launchOutputError(
      Output output,
      Operand<HostBlock> z,
      Operand<HostBlock> y,
      Operand<HostBlock> d,
      Operand<HostBlock> losses,
      StepCursor<HostBlock> at) {
    int row = (int) losses.offset() + at.block().ints()[0];
    losses.block().floats()[row] = outputErrors.run(output, z, y, d);
  }

  @Override
  protected void launchPropagate(
      Operand<HostBlock> d,
      Operand<HostBlock> w,
      Activation f,
      Operand<HostBlock> saved,
      Operand<HostBlock> e) {
    kernels.propagate(d, w, f, saved, e);
  }

  @Override
  protected void launchGradients(
      Operand<HostBlock> d, Operand<HostBlock> a, Operand<HostBlock> dw, Operand<HostBlock> db) {
    kernels.gradients(d, a, dw, db);
  }

  @Override
  protected void launchUpdate(
      UpdateRule rule,
      Operand<HostBlock> theta,
      Operand<HostBlock> gradient,
      Operand<HostBlock> state,
      Operand<HostBlock> schedule,
      StepCursor<HostBlock> at) {
    kernels.update(rule, theta, gradient, state, schedule, at.block().ints()[0]);
  }

  @Override
  protected void awaitDevice() {
    // Every call is done on return.
  }

  @Override
  protected void releaseDevice() {
    workers.close();
  }
}
