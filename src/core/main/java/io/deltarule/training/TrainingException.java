package io.deltarule.training;

/** Training cannot go on; the message says why and what helps. */
public final class TrainingException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /**
   * Says why.
   *
   * @param message one line
   */
  public TrainingException(String message) {
    super(message);
  }
}
