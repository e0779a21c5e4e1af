package io.deltarule.cuda;

import io.deltarule.engine.Availability;
import io.deltarule.engine.spi.PrivateFolder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jcuda.JCudaVersion;
import jcuda.LibUtils;
import jcuda.driver.JCudaDriver;
import jcuda.jcublas.JCublas2;

/**
 * Loads JCuda's native libraries, from a {@link PrivateFolder}. What is loaded stays so until the
 * process ends.
 */
final class Natives {
  private static final String FOLDER = "deltarule-jcuda";
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
      PrivateFolder.run(FOLDER, folder -> JCudaDriver.setExceptionsEnabled(false));
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
    PrivateFolder.run(
        FOLDER,
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
}
