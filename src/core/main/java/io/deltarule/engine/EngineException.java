package io.deltarule.engine;

/** A device or its driver failed; the message names the call, its status and the sizes. */
public class EngineException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /**
   * Says what failed.
   *
   * @param message one line
   */
  public EngineException(String message) {
    super(message);
  }

  /**
   * Says what failed, and why.
   *
   * @param message one line
   * @param cause what was caught
   */
  public EngineException(String message, Throwable cause) {
    super(message, cause);
  }
}
