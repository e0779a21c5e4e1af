package io.deltarule.training;

import io.deltarule.engine.Engine;
import io.deltarule.engine.Matrix;
import io.deltarule.engine.Recording;

/**
 * Batches of samples that stay on the host, which gathers and sends each. The engine queues the
 * steps, so that the host gathers a batch while the step before it computes. Two places for a batch
 * take turns, so that an engine can receive one batch while it computes with the other.
 */
final class StreamedBatches implements Batches {
  /** How many batches an epoch of at least as many holds on the engine. */
  static final int PLACES = 2;

  private final Resources resources = new Resources();
  private final HostRows features;
  private final HostRows targets;
  private final int size; // rows of a batch
  private final int steps;
  private final Place[] places;
  private final Place lastPlace; // of fewer rows where they do not divide
  private int[] order; // [samples]

  /** Where a batch lies on the engine, and the step that was recorded with it. */
  private record Place(Matrix x, Matrix y, Recording step) {}

  /**
   * Allocates and records.
   *
   * @param engine that computes
   * @param samples to learn from
   * @param trainingSteps on this engine, as many as the samples have batches of so many rows
   */
  StreamedBatches(Engine engine, Samples samples, TrainingSteps trainingSteps) {
    size = trainingSteps.pass().rows();
    steps = trainingSteps.count();
    features = new HostRows(engine, samples.features(), samples.inputs(), size);
    targets = new HostRows(engine, samples.targets(), samples.outputs(), size);
    places = new Place[Math.min(PLACES, steps)];
    try {
      for (int i = 0; i < places.length; i++) {
        Matrix x = resources.own(engine.allocate("batch " + i, size, samples.inputs()));
        Matrix y = resources.own(engine.allocate("batch targets " + i, size, samples.outputs()));
        places[i] = place(engine, x, y, trainingSteps);
      }
      int left = samples.rows() % size;
      Place last = places[(steps - 1) % places.length];
      lastPlace =
          left == 0 ? last : place(engine, last.x.top(left), last.y.top(left), trainingSteps);
    } catch (RuntimeException | Error e) {
      resources.closeAfter(e);
      throw e;
    }
  }

  private Place place(Engine engine, Matrix x, Matrix y, TrainingSteps trainingSteps) {
    Recording step = engine.record(() -> trainingSteps.call(x, y), trainingSteps.scratch());
    return new Place(x, y, resources.own(step));
  }

  @Override
  public void begin(int[] rows) {
    order = rows;
  }

  @Override
  public void steps(int from, int to) {
    for (int batch = from; batch < to; batch++) {
      Place place = batch == steps - 1 ? lastPlace : places[batch % places.length];
      features.gather(order, batch * size, place.x);
      targets.gather(order, batch * size, place.y);
      place.step.run();
    }
  }

  @Override
  public void close() {
    resources.close();
  }
}
