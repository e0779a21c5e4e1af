package io.deltarule.engine.spi;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/**
 * A temporary folder for libraries that extract themselves to fixed names in the folder of
 * temporary files and take whatever lies there already, which anybody may have put there. One for
 * all engines: two that changed the property at the same time could leave it naming a folder that
 * is gone.
 */
public final class PrivateFolder {
  private static final String TEMPORARY = "java.io.tmpdir";

  private PrivateFolder() {}

  /** What extracts and loads. */
  @FunctionalInterface
  public interface Loading {
    /**
     * Loads a library.
     *
     * @param folder for temporary files, empty
     * @throws IOException if it cannot be written to
     */
    void load(Path folder) throws IOException;
  }

  /**
   * Has a library loaded while the folder of temporary files is a new one, which is then deleted.
   *
   * @param name that the folder's begins with
   * @param loading to do
   * @throws UncheckedIOException if the folder cannot be made or written to
   */
  public static synchronized void run(String name, Loading loading) {
    String temporary = System.getProperty(TEMPORARY);
    try {
      Path folder = Files.createTempDirectory(name);
      System.setProperty(TEMPORARY, folder.toString());
      try {
        loading.load(folder);
      } finally {
        System.setProperty(TEMPORARY, temporary);
        delete(folder);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** What is loaded may be deleted; where the system forbids it, at the end of the process. */
  private static void delete(Path folder) {
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.toList()) {
        if (!file.toFile().delete()) {
          folder.toFile().deleteOnExit(); // in reverse order: the file first
          file.toFile().deleteOnExit();
        }
      }
      Files.deleteIfExists(folder);
    } catch (IOException e) {
      folder.toFile().deleteOnExit();
    }
  }
}
