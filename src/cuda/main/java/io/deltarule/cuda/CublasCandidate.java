package io.deltarule.cuda;

import java.nio.file.Path;
import java.util.List;

/**
 * A cuBLAS that may be here.
 *
 * @param major its version, 12 or 13
 * @param origin who put it there: user, system, pip or conda
 * @param file the library; null for the one that the system's linker finds by its name
 */
record CublasCandidate(int major, String origin, Path file) {

  /** The versions of cuBLAS that JCublas2 can use: 12, and 13 when it is rewritten. */
  static final List<Integer> MAJORS = List.of(12, 13);

  /** The name by which programs ask for a version. */
  static String soname(int major) {
    return "libcublas.so." + major;
  }

  /** The file of a version in a folder. */
  static CublasCandidate in(Path folder, int major, String origin) {
    return new CublasCandidate(major, origin, folder.resolve(soname(major)));
  }

  @Override
  public String toString() {
    return origin + "'s " + (file == null ? soname(major) : file);
  }
}
