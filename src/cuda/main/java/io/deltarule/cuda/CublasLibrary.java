package io.deltarule.cuda;

/**
 * The cuBLAS that is loaded, for as long as the process runs.
 *
 * @param major its version, 12 or 13
 * @param origin who put it there: user, system, pip or conda
 * @param location its file
 * @param rewritten whether JCublas2's native library was rewritten to bind to this version
 */
record CublasLibrary(int major, String origin, String location, boolean rewritten) {

  /** One line for people. */
  String describe() {
    return "cuBLAS %d of %s (%s)%s"
        .formatted(major, origin, location, rewritten ? ", JCublas2 rewritten for it" : "");
  }
}
