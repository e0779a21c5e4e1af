package io.deltarule.training;

import java.util.ArrayList;
import java.util.List;

/** What was allocated on an engine for one purpose, freed together. */
final class Resources implements AutoCloseable {
  private final List<AutoCloseable> owned = new ArrayList<>();

  /**
   * Takes a resource over.
   *
   * @param <T> its type
   * @param resource closed with this
   * @return the resource
   */
  <T extends AutoCloseable> T own(T resource) {
    owned.add(resource);
    return resource;
  }

  /** Closes all, the newest first. */
  @Override
  public void close() {
    for (int i = owned.size() - 1; i >= 0; i--) {
      try {
        owned.get(i).close();
      } catch (Exception e) {
        throw new IllegalStateException("closing what was allocated on the engine", e);
      }
    }
  }
}
