package io.deltarule.engine;

/**
 * The number of the current step, kept on the device: calls that depend on it (which rows to
 * gather, where to put the loss, this step's learning rate) read it there, so that a recorded step
 * can be replayed without any traffic from the host.
 */
public interface Cursor extends AutoCloseable {

  /**
   * Where the cursor stands once all calls so far have taken effect; does not wait.
   *
   * @return at least 0
   */
  int position();

  /** Frees the memory; again does nothing. */
  @Override
  void close();
}
