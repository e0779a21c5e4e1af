package io.deltarule.opencl;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The kernel sources in the jar, each with what it includes. */
final class Sources {
  private static final Pattern INCLUDE = Pattern.compile("#include \"([a-z_]+\\.h)\"");

  private Sources() {}

  /** One text of several files; what they include comes once. */
  static String of(String... files) {
    StringBuilder text = new StringBuilder();
    Set<String> included = new HashSet<>();
    for (String file : files) {
      append(text, file, included);
    }
    return text.toString();
  }

  private static void append(StringBuilder text, String file, Set<String> included) {
    text.append("#line 1 \"").append(file).append("\"\n");
    int number = 0;
    for (String line : read(file).split("\n")) {
      number++;
      Matcher include = INCLUDE.matcher(line);
      if (!include.matches()) {
        text.append(line).append('\n');
      } else if (included.add(include.group(1))) {
        append(text, include.group(1), included);
        text.append("#line ").append(number + 1).append(" \"").append(file).append("\"\n");
      } else {
        text.append('\n');
      }
    }
  }

  private static String read(String file) {
    try (InputStream stream = Sources.class.getResourceAsStream("kernels/" + file)) {
      if (stream == null) {
        throw new IllegalStateException("the kernel source " + file + " is not in the jar");
      }
      return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
