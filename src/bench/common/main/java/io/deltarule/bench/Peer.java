package io.deltarule.bench;

/** A library at its work, written as its documentation would have it. One process runs one peer. */
public interface Peer extends AutoCloseable {

  /**
   * The library and its version.
   *
   * @return for the table
   */
  String version();

  /**
   * In what the work differs from the task, since the library does not offer it.
   *
   * @return a phrase, empty if it does not differ
   */
  default String difference() {
    return "";
  }

  /**
   * Builds the network with the given weights and biases of zero, and puts the data where it is
   * trained on.
   *
   * @param task the work
   * @throws UnsupportedOperationException if the library cannot do it, saying why
   */
  void prepare(Task task);

  /**
   * Trains on one mini-batch: forward, loss, backward, update.
   *
   * @param batch which of the mini-batches, in turn
   */
  void step(int batch);

  /**
   * The loss of the last step, before its update; waits for the step.
   *
   * @return the mean over the rows, NaN if the library does not tell
   */
  float loss();

  @Override
  default void close() {}
}
