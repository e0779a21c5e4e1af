package io.deltarule.engine;

/**
 * The engine that was asked for cannot be used here; the message gives the reason and the remedy.
 */
public class EngineUnavailableException extends EngineException {
  private static final long serialVersionUID = 1;

  /**
   * Says which, why, and what helps.
   *
   * @param message one line
   */
  public EngineUnavailableException(String message) {
    super(message);
  }
}
