package io.deltarule.opencl;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.jocl.CL;

/** Loads JOCL's native library. */
final class Natives {
  private static final String TEMPORARY = "java.io.tmpdir";

  private static boolean loaded;

  private Natives() {}

  /**
   * Loads it, once. JOCL extracts it to a fixed name in the temporary folder and takes whatever
   * lies there already, which anybody may have put there: it gets a private folder.
   *
   * @throws LinkageError if the library, or the OpenCL loader that it needs, is not there
   */
  static synchronized void load() {
    if (loaded) {
      return;
    }
    if (!LoaderLibrary.mayBeHere()) {
      throw new UnsatisfiedLinkError("libOpenCL");
    }
    String temporary = System.getProperty(TEMPORARY);
    Path folder;
    try {
      folder = Files.createTempDirectory("deltarule-jocl");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    System.setProperty(TEMPORARY, folder.toString());
    try {
      CL.setExceptionsEnabled(false); // statuses are checked here, with the sizes of the call
      loaded = true;
    } finally {
      System.setProperty(TEMPORARY, temporary);
      delete(folder);
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
