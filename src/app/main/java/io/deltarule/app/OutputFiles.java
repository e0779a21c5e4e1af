package io.deltarule.app;

import io.deltarule.data.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** The files of one command, none of which may be written over another. */
final class OutputFiles {
  private final Map<String, Path> files = new LinkedHashMap<>();

  /**
   * Adds a file that is read.
   *
   * @param name of the option or parameter
   * @param path of the file, null if there is none
   * @return this
   */
  OutputFiles reads(String name, Path path) {
    if (path != null) {
      files.put(name, path);
    }
    return this;
  }

  /**
   * Adds a file that is written.
   *
   * @param name of the option
   * @param path of the file, null if there is none
   * @return this
   * @throws InputException if it is one of the files before
   */
  OutputFiles writes(String name, Path path) {
    if (path != null) {
      files.forEach(
          (otherName, other) -> {
            if (same(path, other)) {
              throw new InputException(
                  "%s: %s would overwrite %s; name another file".formatted(path, name, otherName));
            }
          });
      files.put(name, path);
    }
    return this;
  }

  private static boolean same(Path one, Path other) {
    try {
      return Files.exists(one) && Files.exists(other)
          ? Files.isSameFile(one, other)
          : one.toAbsolutePath().normalize().equals(other.toAbsolutePath().normalize());
    } catch (IOException e) {
      return false; // one of them cannot be looked at, which reading or writing it will say
    }
  }
}
