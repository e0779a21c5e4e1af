package io.deltarule.training;

import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineMemory;
import io.deltarule.engine.UpdateRule;
import io.deltarule.network.Network;
import java.util.function.LongUnaryOperator;
import java.util.stream.LongStream;

/**
 * The memory that training takes on an engine, to say which batch would fit. Counts what {@link
 * Trainer} and what it is made of allocate, in floats.
 *
 * @param network to be trained
 * @param rule with its memory for each parameter
 * @param rows training samples
 * @param checkedRows samples that every epoch's parameters are tried on
 */
record MemoryNeed(Network network, UpdateRule rule, int rows, int checkedRows) {

  /**
   * What to do about a lack of memory.
   *
   * @param engine that has too little, without what training had allocated
   * @param batch the rows of a batch that did not fit
   * @param placement where the data was to lie: {@link DataPlacement#HOST}, or else on the engine
   * @return half a sentence
   */
  String advice(Engine engine, int batch, DataPlacement placement) {
    int fits = largestBatch(engine, batch - 1, placement);
    if (fits > 0) {
      return "a batch of %d rows would fit".formatted(fits);
    }
    int streamed =
        placement == DataPlacement.HOST ? 0 : largestBatch(engine, batch, DataPlacement.HOST);
    return streamed > 0
        ? "with the data on the host a batch of %d rows would fit".formatted(streamed)
        : ("even with the data on the host training needs %d bytes, and %d in one matrix; "
                + "take a smaller network")
            .formatted(
                4 * least(batch, b -> total(b, DataPlacement.HOST)),
                4 * least(batch, b -> largest(b, DataPlacement.HOST)));
  }

  private static long least(int batch, LongUnaryOperator need) {
    return LongStream.rangeClosed(1, batch).map(need).min().orElseThrow();
  }

  /** The largest batch of at most so many rows that fits, 0 for none. */
  private int largestBatch(Engine engine, int most, DataPlacement placement) {
    EngineMemory memory = engine.memory();
    long left = memory.total() - engine.allocatedBytes();
    // No bisection: a smaller batch takes more steps, whose rates and losses lie there too.
    for (int batch = most; batch > 0; batch--) {
      if (4 * total(batch, placement) <= left
          && 4 * largest(batch, placement) <= memory.largest()) {
        return batch;
      }
    }
    return 0;
  }

  private long total(long batch, DataPlacement placement) {
    long blocks = 3L + rule.stateRows(); // theta, its gradient, the best epoch's
    long units = network.outputs() + hidden().sum(); // activations of a row
    long saved = network.activation().savesInput() ? hidden().sum() : 0;
    long sample = (long) network.inputs() + network.outputs();
    long everywhere =
        blocks * Stack.blockSize(network)
            + steps(batch) * (UpdateRule.SCALARS + 1) // schedule and losses
            + 1 // cursor
            + batch * (2 * units + saved) // with the error signals
            + checkBatch() * (units + saved);
    return placement == DataPlacement.HOST
        ? everywhere
            + Math.min(StreamedBatches.PLACES, steps(batch)) * batch * sample
            + checkBatch() * network.inputs()
        : everywhere
            + (rows + batch) * sample
            + steps(batch) * batch // order
            + (long) checkedRows * network.inputs();
  }

  private long largest(long batch, DataPlacement placement) {
    long inputs = network.inputs();
    long outputs = network.outputs();
    long widest = Math.max(outputs, hidden().max().orElse(0));
    long everywhere =
        LongStream.of(
                Math.max(1, rule.stateRows()) * Stack.blockSize(network),
                steps(batch) * UpdateRule.SCALARS,
                Math.max(batch, checkBatch()) * widest,
                batch * inputs)
            .max()
            .orElseThrow();
    return placement == DataPlacement.HOST
        ? Math.max(everywhere, checkBatch() * inputs)
        : LongStream.of(
                everywhere,
                rows * outputs,
                Math.max(rows, checkedRows) * inputs,
                steps(batch) * batch)
            .max()
            .orElseThrow();
  }

  private long steps(long batch) {
    return (rows - 1) / batch + 1;
  }

  private long checkBatch() {
    return Inference.batch(checkedRows);
  }

  private LongStream hidden() {
    return network.hidden().stream().mapToLong(Integer::longValue);
  }
}
