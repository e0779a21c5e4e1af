package io.deltarule.cuda;

import io.deltarule.engine.EngineUnavailableException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import jcuda.LibUtils;
import jcuda.driver.JCudaDriver;

/**
 * Finds cuBLAS and loads it for JCublas2. That is done once in a process and cannot be undone:
 * native libraries stay loaded, and JCublas2 binds to one of them.
 */
final class CublasLoader {
  /** Names a file, or a folder, in place of the search; the property comes before the variable. */
  static final String PROPERTY = "deltarule.cublas";

  static final String VARIABLE = "DELTARULE_CUBLAS";

  private static CublasSearch search;
  private static String refusal;

  private final int driverVersion;
  private final List<String> failures = new ArrayList<>();

  private CublasLoader(int driverVersion) {
    this.driverVersion = driverVersion;
  }

  /**
   * Searches at the first call; later ones give the same answer. NVIDIA's driver must be loaded.
   *
   * @return the cuBLAS that is loaded, or why there is none
   * @throws EngineUnavailableException if the user names one that cannot be used
   */
  static synchronized CublasSearch load() {
    if (search == null && refusal == null) {
      int[] driverVersion = new int[1];
      JCudaDriver.cuDriverGetVersion(driverVersion);
      try {
        search = new CublasLoader(driverVersion[0]).run();
      } catch (EngineUnavailableException e) {
        refusal = e.getMessage();
      }
    }
    if (refusal != null) {
      throw new EngineUnavailableException(refusal);
    }
    return search;
  }

  private CublasSearch run() {
    String property = System.getProperty(PROPERTY);
    String wish = property != null ? property : System.getenv(VARIABLE);
    if (wish != null && !wish.isEmpty()) {
      String name = property != null ? PROPERTY : VARIABLE;
      try {
        return found(load(named(wish)));
      } catch (IOException e) {
        throw new EngineUnavailableException(
            "cuda: the cuBLAS that %s names, %s, cannot be used: %s"
                .formatted(name, wish, reason(e)));
      }
    }
    for (CublasCandidate candidate : candidates()) {
      try {
        return found(load(candidate));
      } catch (IOException e) {
        failures.add(candidate + ": " + reason(e));
      }
    }
    return new CublasSearch(Optional.empty(), List.copyOf(failures));
  }

  private CublasSearch found(CublasLibrary library) {
    return new CublasSearch(Optional.of(library), List.copyOf(failures));
  }

  /** The exceptions of the file system say in their names what their messages leave out. */
  private static String reason(IOException e) {
    return e instanceof FileSystemException
        ? e.getClass().getSimpleName() + " " + e.getMessage()
        : e.getMessage();
  }

  private static boolean linux() {
    return LibUtils.calculateOS() == LibUtils.OSType.LINUX;
  }

  private static List<CublasCandidate> candidates() {
    return linux()
        ? new CublasPlaces(Path.of("/"), Path.of(System.getProperty("user.home")), System::getenv)
            .candidates()
        : List.of(new CublasCandidate(12, "system", null)); // cublas64_12.dll on the PATH
  }

  private static CublasCandidate named(String wish) throws IOException {
    if (!linux()) {
      throw new IOException("on this system the PATH decides; add the folder to it instead");
    }
    Path path = Path.of(wish).toAbsolutePath();
    if (!Files.isDirectory(path)) {
      String soname = Elf.of(path).soname();
      for (int major : CublasCandidate.MAJORS) {
        if (soname.equals(CublasCandidate.soname(major))) {
          return new CublasCandidate(major, "user", path);
        }
      }
      throw new IOException("it is " + soname + ", not libcublas.so.12 or libcublas.so.13");
    }
    for (int major : CublasCandidate.MAJORS) {
      CublasCandidate candidate = CublasCandidate.in(path, major, "user");
      if (Files.exists(candidate.file())) {
        return candidate;
      }
    }
    throw new IOException("the folder has neither libcublas.so.12 nor libcublas.so.13");
  }

  /** Loads a candidate, or says why it cannot be. */
  private CublasLibrary load(CublasCandidate candidate) throws IOException {
    int major = candidate.major();
    if (major > driverVersion / 1000) { // it would load, and then fail to create a handle
      throw new IOException(
          "needs NVIDIA's driver for CUDA %d, this one is for CUDA %d.%d"
              .formatted(major, driverVersion / 1000, driverVersion % 1000 / 10));
    }
    boolean rewrite = major != 12;
    byte[] library = rewrite ? rewritten(major) : null;
    try {
      if (candidate.file() != null) {
        preload(candidate);
      }
      Natives.cublas(library);
    } catch (LinkageError e) {
      throw new IOException(Natives.reason(e), e);
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
    String location = candidate.file() == null ? mapped(major) : candidate.file().toString();
    return new CublasLibrary(major, candidate.origin(), location, rewrite);
  }

  /**
   * Loads a file, which JCublas2 then gets, since a library of the name that it needs is there. Its
   * own libcublasLt comes first: bound to another's, it would end the process at a missing symbol.
   * Both files are looked at before, as the first would stay if the second failed.
   */
  private static void preload(CublasCandidate candidate) throws IOException {
    String soname = CublasCandidate.soname(candidate.major());
    Path light = candidate.file().resolveSibling("libcublasLt.so." + candidate.major());
    String found = Elf.of(candidate.file()).soname();
    if (!found.equals(soname)) {
      throw new IOException("it is " + found + ", not " + soname);
    }
    if (Files.exists(light)) {
      Elf.of(light);
      System.load(light.toString());
    }
    System.load(candidate.file().toString());
  }

  /** JCublas2's native library, made to need another version of cuBLAS. */
  private static byte[] rewritten(int major) throws IOException {
    byte[] library = Natives.cublasLibrary();
    new Elf(ByteBuffer.wrap(library))
        .replaceNeeded(CublasCandidate.soname(12), CublasCandidate.soname(major));
    return library;
  }

  /** The file that the linker took, as far as the system tells. */
  private static String mapped(int major) {
    String soname = CublasCandidate.soname(major);
    try {
      return new String(Files.readAllBytes(Path.of("/proc/self/maps")), StandardCharsets.UTF_8)
          .lines()
          .filter(line -> line.contains("/" + soname))
          .map(line -> line.substring(line.indexOf('/')))
          .findFirst()
          .orElse(soname);
    } catch (IOException e) {
      return soname;
    }
  }
}
