package io.deltarule.opencl;

import io.deltarule.engine.spi.PrivateFolder;
import org.jocl.CL;

/** Loads JOCL's native library. */
final class Natives {
  private static boolean loaded;

  private Natives() {}

  /**
   * Loads it, once, from a {@link PrivateFolder}.
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
    PrivateFolder.run(
        "deltarule-jocl",
        folder -> {
          CL.setExceptionsEnabled(false); // statuses are checked here, with the sizes of the call
          loaded = true;
        });
  }
}
