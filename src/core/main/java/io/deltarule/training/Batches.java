package io.deltarule.training;

/** The mini-batches of an epoch, each brought before the training step. */
interface Batches {

  /**
   * Begins an epoch.
   *
   * @param order all row numbers of the samples, in the order to see them
   */
  void begin(int[] order);

  /**
   * Queues the training step on a batch.
   *
   * @param batch its number in the epoch, from 0 and one after the other
   */
  void step(int batch);
}
