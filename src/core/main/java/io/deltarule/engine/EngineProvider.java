package io.deltarule.engine;

import java.util.function.Consumer;

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
   * Looks whether the engine can be used here. Never throws, and opens nothing that stays open;
   * native libraries that it finds stay loaded, as they do in a JVM.
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

  /**
   * Opens the engine for the automatic choice. An engine that would be slower here than one of a
   * lower rank refuses, and says how to get it nevertheless.
   *
   * @param options what the user asks for
   * @return a new engine, to be closed by the caller
   * @throws EngineUnavailableException if it cannot or should not be used
   */
  default Engine openAutomatically(EngineOptions options) {
    return open(options);
  }

  /**
   * Searches the fastest settings for the device and keeps them for later engines.
   *
   * @param options which device
   * @param seconds how long to search
   * @param progress gets a line for each finding
   * @return what was found and where it is kept, in one line
   * @throws EngineUnavailableException if the engine cannot be used, or has nothing to tune
   */
  default String tune(EngineOptions options, double seconds, Consumer<String> progress) {
    throw new EngineUnavailableException(name() + ": has nothing to tune");
  }
}
