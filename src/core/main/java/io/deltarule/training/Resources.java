package io.deltarule.training;

import java.util.ArrayList;
import java.util.List;

/** What was allocated on an engine for one purpose, freed together. */
public final class Resources implements AutoCloseable {
  private final List<AutoCloseable> owned = new ArrayList<>();

  /** None so far. */
  public Resources() {}

  /**
   * Takes a resource over.
   *
   * @param <T> its type
   * @param resource closed with this
   * @return the resource
   */
  public <T extends AutoCloseable> T own(T resource) {
    owned.add(resource);
    return resource;
  }

  /** Closes all, the newest first, also after one has failed. */
  @Override
  public void close() {
    IllegalStateException failed = null;
    for (int i = owned.size() - 1; i >= 0; i--) {
      try {
        owned.get(i).close();
      } catch (Exception e) {
        if (failed == null) {
          failed = new IllegalStateException("closing what was allocated on the engine", e);
        } else {
          failed.addSuppressed(e);
        }
      }
    }
    owned.clear();
    if (failed != null) {
      throw failed;
    }
  }

  /**
   * Closes all because of a failure, which stays the one to tell.
   *
   * @param failure gets what else fails
   */
  public void closeAfter(Throwable failure) {
    try {
      close();
    } catch (IllegalStateException e) {
      failure.addSuppressed(e);
    }
  }
}
