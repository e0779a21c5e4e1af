package io.deltarule.training;

import io.deltarule.engine.Engine;
import io.deltarule.engine.Indices;
import io.deltarule.engine.Matrix;
import io.deltarule.engine.Recording;
import java.util.Arrays;

/**
 * Batches of samples that live on the engine: an epoch sends only the order, and the recorded step
 * gathers its batch.
 */
public final class ResidentBatches implements Batches {
  private final Engine engine;
  private final TrainingSteps steps;
  private final Resources resources = new Resources();
  private final Matrix features; // [samples x inputs]
  private final Matrix targets; // [samples x outputs]
  private final Indices order; // [steps x batch size]
  private final Recording step;
  private final Recording lastStep; // of fewer rows where they do not divide

  /**
   * Allocates and records.
   *
   * @param engine that computes
   * @param samples to learn from
   * @param steps on this engine, as many as the samples have batches of so many rows
   * @throws IllegalArgumentException if they are not as many
   */
  public ResidentBatches(Engine engine, Samples samples, TrainingSteps steps) {
    this.engine = engine;
    this.steps = steps;
    int rows = samples.rows();
    int size = steps.pass().rows();
    if (samples.batches(size) != steps.count()) {
      throw new IllegalArgumentException(
          "%d samples make %d batches of %d, but an epoch has %d steps"
              .formatted(rows, samples.batches(size), size, steps.count()));
    }
    try {
      features = resources.own(engine.allocate("features", rows, samples.inputs()));
      targets = resources.own(engine.allocate("targets", rows, samples.outputs()));
      order = resources.own(engine.allocateIndices("order", steps.count(), size, rows));
      Matrix x = resources.own(engine.allocate("batch", size, samples.inputs()));
      Matrix y = resources.own(engine.allocate("batch targets", size, samples.outputs()));
      step = resources.own(record(x, y, x));
      int left = rows % size;
      lastStep = left == 0 ? step : resources.own(record(x.top(left), y.top(left), x));
      engine.write(features, samples.features());
      engine.write(targets, samples.targets());
    } catch (RuntimeException | Error e) {
      resources.closeAfter(e);
      throw e;
    }
  }

  private Recording record(Matrix x, Matrix y, Matrix unread) {
    return engine.record(
        () -> {
          engine.gather(features, order, steps.cursor(), x);
          engine.gather(targets, order, steps.cursor(), y);
          steps.call(x, y);
        },
        steps.scratch(unread));
  }

  @Override
  public void begin(int[] rows) {
    // What the last list lacks is 0 and not used.
    engine.write(order, Arrays.copyOf(rows, order.rows() * order.columns()));
  }

  @Override
  public void steps(int from, int to) {
    int whole = lastStep == step ? to : Math.min(to, order.rows() - 1);
    if (whole > from) {
      step.run(whole - from);
    }
    if (to > whole) {
      lastStep.run();
    }
  }

  @Override
  public void close() {
    resources.close();
  }
}
