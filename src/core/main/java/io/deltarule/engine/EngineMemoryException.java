package io.deltarule.engine;

/** The device has no room for a matrix; the message names the bytes and the largest matrices. */
public class EngineMemoryException extends EngineException {
  private static final long serialVersionUID = 1;

  /**
   * Says what did not fit.
   *
   * @param message one line
   * @param cause what was caught, or null
   */
  public EngineMemoryException(String message, Throwable cause) {
    super(message, cause);
  }
}
