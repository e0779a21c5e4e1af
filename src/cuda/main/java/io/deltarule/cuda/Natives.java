package io.deltarule.cuda;

import io.deltarule.engine.Availability;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import jcuda.JCudaVersion;
import jcuda.LibUtils;
import jcuda.driver.JCudaDriver;
import jcuda.jcublas.JCublas2;

/**
 * Loads JCuda's native libraries. JCuda extracts them to fixed names in the temporary folder and
 * takes whatever lies there already, which anybody may have put there: it gets a private folder.
 * What is loaded stays so until the process ends.
 */
final class Natives {
  private static final String TEMPORARY = "java.io.tmpdir";
  private static final String DRIVER = "JCudaDriver";
  private static final String CUBLAS = "JCublas2";

  /** What the linker says of the copy in the private folder, in the report of JCuda's loader. */
  private static final Pattern LINKER_ERROR =
      Pattern.compile("as a resource:\\s*(?:[\\w.]+(?:Error|Exception): )?(?:/\\S+: )?(.+)");

  private static Availability driver;

  private Natives() {}

  /**
   * Loads JCudaDriver, with it NVIDIA's driver, at the first call.
   *
   * @return whether that worked, then and for good; never throws
   */
  static synchronized Availability driver() {
    if (driver == null) {
      driver = loadDriver();
    }
    return driver;
  }

  private static Availability loadDriver() {
    if (JCudaDriver.class.getResource("/lib/" + fileName(DRIVER)) == null) {
      return Availability.unusable(
          "JCuda has no library %s for this platform".formatted(fileName(DRIVER)),
          "it has them for Linux and Windows on x86-64; take the engine host or opencl");
    }
    try {
      inPrivateFolder(folder -> JCudaDriver.setExceptionsEnabled(false));
      return Availability.usable("NVIDIA's driver");
    } catch (LinkageError e) {
      String reason = reason(e);
      return reason.contains("libcuda.so.1") || reason.contains("dependent libraries")
          ? Availability.unusable(
              "NVIDIA's driver is not installed (%s)".formatted(reason),
              "install the driver of the card; in a container, start it with --gpus all")
          : Availability.unusable(
              "JCuda's library cannot be loaded: " + reason,
              "let -Djava.io.tmpdir name a folder from which libraries may be loaded");
    } catch (UncheckedIOException e) {
      return Availability.unusable(
          "JCuda's library cannot be extracted: " + e.getCause(),
          "let -Djava.io.tmpdir name a folder that can be written");
    }
  }

  /**
   * Loads JCublas2, with it the cuBLAS that has been loaded before or that the linker finds. May be
   * tried again, with another cuBLAS, after it has failed.
   *
   * @param library JCublas2's native library, to be taken in place of the jar's; null for the jar's
   * @throws LinkageError if there is no cuBLAS that it fits
   */
  static synchronized void cublas(byte[] library) {
    inPrivateFolder(
        folder -> {
          if (library != null) {
            Files.write(folder.resolve(fileName(CUBLAS)), library);
          }
          // Not by JCublas2 itself: a class whose initialisation failed cannot be tried again.
          LibUtils.loadLibrary(platformName(CUBLAS));
          JCublas2.setExceptionsEnabled(false); // statuses are checked here, with the sizes
        });
  }

  /**
   * JCublas2's native library as the jar has it.
   *
   * @throws IOException if it cannot be read
   */
  static byte[] cublasLibrary() throws IOException {
    try (var in = JCublas2.class.getResourceAsStream("/lib/" + fileName(CUBLAS))) {
      if (in == null) {
        throw new IOException("JCublas2 has no library " + fileName(CUBLAS));
      }
      return in.readAllBytes();
    }
  }

  /** The line of JCuda's long report that says what the linker missed. */
  static String reason(LinkageError e) {
    String message = String.valueOf(e.getMessage());
    Matcher matcher = LINKER_ERROR.matcher(message);
    return matcher.find() ? matcher.group(1) : message.lines().findFirst().orElse(e.toString());
  }

  private static String platformName(String library) {
    return LibUtils.createPlatformLibraryName(library + "-" + JCudaVersion.get());
  }

  private static String fileName(String library) {
    return LibUtils.createLibraryFileName(platformName(library));
  }

  private interface Loading {
    void load(Path folder) throws IOException;
  }

  private static void inPrivateFolder(Loading loading) {
    String temporary = System.getProperty(TEMPORARY);
    try {
      Path folder = Files.createTempDirectory("deltarule-jcuda");
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
