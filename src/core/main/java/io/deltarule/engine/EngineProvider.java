package io.deltarule.engine;

/** How an engine is found: by ServiceLoader, see {@link Engines}. */
public interface EngineProvider {

  /**
   * The name that selects the engine.
   *
   * @return such as {@code host}
   */
  String name();

  /**
   * How fast the engine is, for the automatic choice: the usable one of the highest rank is taken.
   *
   * @return 0 for the host, more for faster devices
   */
  int rank();

  /**
   * Looks whether the engine can be used here. Never throws, and opens nothing that stays open.
   *
   * @return the answer, with device or reason and remedy
   */
  Availability probe();

  /**
   * Opens the engine.
   *
   * @param options what the user asks for
   * @return a new engine, to be closed by the caller
   * @throws EngineUnavailableException if it cannot be used, or lacks what the options ask for
   */
  Engine open(EngineOptions options);
}
