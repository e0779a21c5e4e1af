package io.deltarule.training;

import io.deltarule.engine.Cursor;
import io.deltarule.engine.Engine;
import io.deltarule.engine.Indices;
import io.deltarule.engine.Matrix;
import io.deltarule.engine.Recording;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BiConsumer;

/**
 * Batches of samples that live on the engine: an epoch sends only the order, and the recorded step
 * gathers its batch.
 */
final class ResidentBatches implements Batches {
  private final Engine engine;
  private final Matrix features; // [samples x inputs]
  private final Matrix targets; // [samples x outputs]
  private final Indices order; // [steps x batch size]
  private final Cursor cursor;
  private final Recording step;
  private final Recording lastStep; // of fewer rows where they do not divide

  /**
   * Allocates and records.
   *
   * @param engine that computes
   * @param resources that own what is allocated
   * @param samples to learn from
   * @param size the rows of a batch
   * @param cursor the number of the batch; the step moves it on
   * @param step calls the training step on a batch and its targets
   * @param scratch what nobody else reads of it
   */
  ResidentBatches(
      Engine engine,
      Resources resources,
      Samples samples,
      int size,
      Cursor cursor,
      BiConsumer<Matrix, Matrix> step,
      List<Matrix> scratch) {
    this.engine = engine;
    this.cursor = cursor;
    int steps = samples.batches(size);
    int rows = samples.rows();
    features = resources.own(engine.allocate("features", rows, samples.inputs()));
    targets = resources.own(engine.allocate("targets", rows, samples.outputs()));
    order = resources.own(engine.allocateIndices("order", steps, size, rows));
    Matrix x = resources.own(engine.allocate("batch", size, samples.inputs()));
    Matrix y = resources.own(engine.allocate("batch targets", size, samples.outputs()));
    List<Matrix> unread = new ArrayList<>(scratch);
    unread.add(x);
    this.step = resources.own(record(x, y, step, unread));
    int left = rows % size;
    lastStep =
        left == 0 ? this.step : resources.own(record(x.top(left), y.top(left), step, unread));
    engine.write(features, samples.features());
    engine.write(targets, samples.targets());
  }

  private Recording record(
      Matrix x, Matrix y, BiConsumer<Matrix, Matrix> step, List<Matrix> scratch) {
    return engine.record(
        () -> {
          engine.gather(features, order, cursor, x);
          engine.gather(targets, order, cursor, y);
          step.accept(x, y);
        },
        scratch);
  }

  @Override
  public void begin(int[] rows) {
    // What the last list lacks is 0 and not used.
    engine.write(order, Arrays.copyOf(rows, order.rows() * order.columns()));
  }

  @Override
  public void steps(int from, int to) {
    int whole = Math.min(to, order.rows() - 1);
    if (whole > from) {
      step.run(whole - from);
    }
    if (to > whole) {
      lastStep.run();
    }
  }
}
