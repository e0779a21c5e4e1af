package io.deltarule.training;

import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineMemory;
import io.deltarule.network.Network;

/**
 * The memory that training takes on an engine, to say which batch would fit. Counts what {@link
 * Trainer} and {@link Stack} allocate, in floats.
 *
 * @param network to be trained
 * @param options how
 * @param rows training samples
 * @param validationRows validation samples
 */
record MemoryNeed(Network network, TrainingOptions options, int rows, int validationRows) {

  /**
   * What to do about a lack of memory.
   *
   * @param memory what there is
   * @return half a sentence
   */
  String advice(EngineMemory memory) {
    int fits = 0; // the largest batch known to fit, and below the smallest known not to
    int fails = options.batchSize();
    while (fails - fits > 1) {
      int middle = fits + (fails - fits) / 2;
      if (4 * total(middle) <= memory.total() && 4 * largest(middle) <= memory.largest()) {
        fits = middle;
      } else {
        fails = middle;
      }
    }
    return fits > 0
        ? "a batch of " + fits + " rows would fit"
        : "data and parameters alone need %d bytes; take fewer rows or a smaller network"
            .formatted(4 * total(0));
  }

  private long parameters() {
    // Weights and biases of each layer start at multiples of the alignment.
    return network.parameters() + 2L * network.layers() * Engine.ALIGNMENT;
  }

  private long total(int batch) {
    long blocks = 3 + options.rule().stateRows(); // theta, its gradient, the best epoch's
    long steps = batch == 0 ? 0 : (rows + batch - 1) / batch;
    long sample = (long) network.inputs() + network.outputs();
    return blocks * parameters()
        + rows * sample
        + steps * (batch + 5L) // order, schedule and losses
        + batch * (sample + 3L * units())
        + (long) validationRows * network.inputs()
        + Math.min(validationRows, Inference.BATCH) * 2L * units();
  }

  private long largest(int batch) {
    long width = Math.max(network.inputs(), network.outputs());
    for (int units : network.hidden()) {
      width = Math.max(width, units);
    }
    return Math.max(
        Math.max(1, options.rule().stateRows()) * parameters(),
        Math.max((long) rows * Math.max(network.inputs(), network.outputs()), batch * width));
  }

  private long units() {
    return network.outputs() + network.hidden().stream().mapToLong(Integer::longValue).sum();
  }
}
