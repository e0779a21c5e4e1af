package io.deltarule.opencl;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Whether the OpenCL loader is here. JOCL would find out too, but its native code then writes to
 * standard output, where results belong.
 */
final class LoaderLibrary {
  private static final Pattern IN_CACHE = Pattern.compile("/[^\\x00]*/libOpenCL\\.so[.0-9]*");

  private LoaderLibrary() {}

  /** False only if the library is certainly not where the system's linker looks for it. */
  static boolean mayBeHere() {
    if (!System.getProperty("os.name").toLowerCase(Locale.ROOT).contains("linux")) {
      return true;
    }
    return mayBeHere(Path.of("/etc/ld.so.cache"), System.getenv("LD_LIBRARY_PATH"));
  }

  static boolean mayBeHere(Path linkerCache, String libraryPath) {
    Stream<Path> named =
        Stream.concat(
                Stream.of((libraryPath == null ? "" : libraryPath).split(":")),
                Stream.of("/lib", "/usr/lib", "/lib64", "/usr/lib64"))
            .filter(folder -> !folder.isEmpty())
            .flatMap(
                folder ->
                    Stream.of(Path.of(folder, "libOpenCL.so.1"), Path.of(folder, "libOpenCL.so")));
    try {
      // A binary file with the paths of all libraries as plain text, each ended by a zero byte.
      String cache = Files.readString(linkerCache, StandardCharsets.ISO_8859_1);
      Stream<Path> cached = IN_CACHE.matcher(cache).results().map(MatchResult::group).map(Path::of);
      return Stream.concat(named, cached).anyMatch(Files::exists);
    } catch (IOException e) {
      return true; // a linker without a cache, such as musl's, looks in places of its own
    }
  }
}
