package io.deltarule.cuda;

import java.util.List;
import java.util.Optional;

/**
 * What a search for cuBLAS came to.
 *
 * @param library the one that is loaded; empty if there is none that could be
 * @param failures a line for each candidate that was tried before, with the reason
 */
record CublasSearch(Optional<CublasLibrary> library, List<String> failures) {

  /** What helps if there is none. */
  static final String REMEDY =
      "install it (pip install nvidia-cublas-cu12), or let %s name libcublas.so.12 or libcublas.so.13"
          .formatted(CublasLoader.VARIABLE);

  /** One line for people: which is loaded, or why none is. */
  String describe() {
    return library
        .map(CublasLibrary::describe)
        .orElseGet(() -> "no cuBLAS: " + String.join("; ", failures));
  }
}
