package io.deltarule.training;

import io.deltarule.engine.Engine;
import io.deltarule.engine.Matrix;
import io.deltarule.engine.Recording;
import java.util.List;
import java.util.function.BiConsumer;

/**
 * Batches of samples that stay on the host, which gathers and sends each. The engine queues the
 * steps, so that the host gathers a batch while the step before it computes. Two places for a batch
 * take turns, so that an engine can receive one batch while it computes with the other.
 */
final class StreamedBatches implements Batches {
  /** How many batches an epoch of at least as many holds on the engine. */
  static final int PLACES = 2;

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
   * @param resources that own what is allocated
   * @param samples to learn from
   * @param size the rows of a batch
   * @param step calls the training step on a batch and its targets
   * @param scratch what nobody else reads of it
   */
  StreamedBatches(
      Engine engine,
      Resources resources,
      Samples samples,
      int size,
      BiConsumer<Matrix, Matrix> step,
      List<Matrix> scratch) {
    this.size = size;
    steps = samples.batches(size);
    features = new HostRows(engine, samples.features(), samples.inputs(), size);
    targets = new HostRows(engine, samples.targets(), samples.outputs(), size);
    places = new Place[Math.min(PLACES, steps)];
    for (int i = 0; i < places.length; i++) {
      Matrix x = resources.own(engine.allocate("batch " + i, size, samples.inputs()));
      Matrix y = resources.own(engine.allocate("batch targets " + i, size, samples.outputs()));
      places[i] = new Place(x, y, resources.own(engine.record(() -> step.accept(x, y), scratch)));
    }
    int left = samples.rows() % size;
    Place last = places[(steps - 1) % places.length];
    if (left > 0) {
      Matrix x = last.x.top(left);
      Matrix y = last.y.top(left);
      last = new Place(x, y, resources.own(engine.record(() -> step.accept(x, y), scratch)));
    }
    lastPlace = last;
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
}
