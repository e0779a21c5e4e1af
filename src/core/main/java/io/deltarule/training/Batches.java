package io.deltarule.training;

/** The mini-batches of an epoch, each brought before the training step. */
public interface Batches extends AutoCloseable {

  /**
   * Begins an epoch.
   *
   * @param order all row numbers of the samples, in the order to see them
   */
  void begin(int[] order);

  /**
   * Queues the training step on some batches.
   *
   * @param from the number of the first in the epoch, 0 or where the last call ended
   * @param to the number of the first that is left
   */
  void steps(int from, int to);

  /** Frees what was allocated for them. */
  @Override
  void close();
}
