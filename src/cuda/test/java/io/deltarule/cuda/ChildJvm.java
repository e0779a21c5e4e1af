package io.deltarule.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Runs a main class in a process of its own, since native libraries are loaded once in one. It has
 * this one's class path, no environment variables but those given, and its home and its temporary
 * folder below a given folder.
 */
final class ChildJvm {
  private final Path home;
  private final Path temporary;
  private final Class<?> main;
  private final List<String> properties = new ArrayList<>();
  private final ProcessBuilder builder = new ProcessBuilder();

  ChildJvm(Class<?> main, Path folder) throws IOException {
    this.main = main;
    home = Files.createDirectories(folder.resolve("home"));
    temporary = Files.createDirectories(folder.resolve("tmp"));
    builder.environment().clear();
  }

  /** Where it puts temporary files. */
  Path temporary() {
    return temporary;
  }

  /** Where its user's files are. */
  Path home() {
    return home;
  }

  ChildJvm property(String name, Object value) {
    properties.add("-D" + name + "=" + value);
    return this;
  }

  ChildJvm variable(String name, Object value) {
    builder.environment().put(name, value.toString());
    return this;
  }

  /**
   * Runs it to its end; fails unless its exit status is 0.
   *
   * @return the lines that it wrote to both outputs
   */
  List<String> run(String... arguments) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-Xmx256m", "-XX:+UseSerialGC"));
    command.add("-Djava.io.tmpdir=" + temporary);
    command.add("-Duser.home=" + home);
    command.addAll(properties);
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
    command.addAll(List.of(arguments));
    Process process = builder.command(command).redirectErrorStream(true).start();
    process.getOutputStream().close();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), output);
    return output.lines().toList();
  }
}
