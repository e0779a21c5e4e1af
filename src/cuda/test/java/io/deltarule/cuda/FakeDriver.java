package io.deltarule.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A CUDA driver and a cuBLAS for machines without a card: what JCuda and JCublas bind to once they
 * are loaded. See driver.cpp for what they emulate.
 */
final class FakeDriver {

  /** When work runs that nothing waits for yet. */
  enum Schedule {
    /** At once. */
    EAGER,
    /** As late as possible, and nothing that is not waited for: the default. */
    OTHERS_LAST,
    /** What is not waited for comes first. */
    OTHERS_FIRST
  }

  private static final Path NATIVE = Path.of("test", "native").toAbsolutePath();

  /** Several runs of the tests may share one, which is compiled once. */
  private static final Path FOLDER =
      Path.of(System.getProperty("deltarule.test.fakecuda", "target/fake-cuda")).toAbsolutePath();

  private static boolean built;
  private static boolean loaded;

  private FakeDriver() {}

  /**
   * Makes the fake the driver of this JVM, and puts it into its initial state. Where it cannot be
   * compiled the test is skipped.
   */
  static synchronized void load() {
    if (!loaded) {
      System.load(folder().resolve("libcuda.so.1").toString());
      loaded = true;
    }
    reset();
  }

  /** Makes the fake the cuBLAS of this JVM: version 12 or 13. */
  static void loadCublas(int version) {
    System.load(cublas(version).toString());
  }

  /** The fake libcublas of this version. */
  static Path cublas(int version) {
    return folder().resolve("cublas" + version).resolve("libcublas.so." + version);
  }

  /** Where libcuda.so.1 lies; compiled if need be. */
  static synchronized Path folder() {
    if (!built) {
      build();
      built = true;
    }
    return FOLDER;
  }

  /** The environment of a process that shall find the fake driver, and cuBLAS of these versions. */
  static Map<String, String> environment(int... cublasVersions) {
    List<String> folders = new ArrayList<>(List.of(folder().toString()));
    for (int version : cublasVersions) {
      folders.add(cublas(version).getParent().toString());
    }
    return Map.of("LD_LIBRARY_PATH", String.join(File.pathSeparator, folders));
  }

  /** Forgets all objects, counters, failures and messages; one device, {@code OTHERS_LAST}. */
  static native void reset();

  /**
   * Describes the machine. Only while no context exists.
   *
   * @param computeCapability 90 for 9.0
   * @param driverVersion 12060 for 12.6
   * @param memory of each device, bytes
   */
  static native void configure(
      int devices, int computeCapability, int driverVersion, long memory, int multiprocessors);

  /** Whether the threads of a block run from the last to the first. */
  static native void reverseThreads(boolean reversed);

  /**
   * Lets one call of a function fail.
   *
   * @param call its name without a version suffix, such as {@code cuMemAlloc}
   * @param nth 1 for the next call
   * @param status a CUresult or a cublasStatus, which the call returns without doing anything
   */
  static native void failNext(String call, int nth, int status);

  /** How many failures have been asked for and not happened yet. */
  static native int pendingFailures();

  static void schedule(Schedule schedule) {
    setSchedule(schedule.ordinal());
  }

  /** How often each function was called. */
  static Map<String, Integer> callCounts() {
    return counts(describeCalls());
  }

  /**
   * How many objects exist: contexts, streams, events, modules, memory, pinned, graphs, graphExecs,
   * cublasHandles; kinds of which there are none are left out.
   */
  static Map<String, Integer> liveObjects() {
    Map<String, Integer> objects = counts(describeObjects());
    objects.values().removeIf(count -> count == 0);
    return objects;
  }

  /** Misuse that was noted, in the order of the calls; tests of the engine assert none. */
  static List<String> messages() {
    return describeMisuse().lines().collect(Collectors.toList());
  }

  private static native void setSchedule(int schedule);

  private static native String describeCalls();

  private static native String describeObjects();

  private static native String describeMisuse();

  private static Map<String, Integer> counts(String lines) {
    Map<String, Integer> counts = new TreeMap<>();
    lines
        .lines()
        .map(line -> line.split(" "))
        .forEach(words -> counts.put(words[0], Integer.valueOf(words[1])));
    return counts;
  }

  private static void build() {
    assumeTrue(
        System.getProperty("os.name").equals("Linux")
            && System.getProperty("os.arch").equals("amd64"),
        "the fake CUDA driver is written for Linux on x86-64");
    assumeTrue(
        onPath("g++") && onPath("nm"),
        "no g++ or nm: install the packages g++ and binutils to run the tests of the CUDA engine");
    Path jdk = Path.of(System.getProperty("java.home"));
    assumeTrue(
        Files.exists(jdk.resolve("include/jni.h")),
        "no include/jni.h in " + jdk + ": run the tests with a JDK that has it");
    List<String> command = new ArrayList<>();
    command.add(NATIVE.resolve("build").toString());
    command.add(FOLDER.toString());
    command.addAll(natives());
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().put("JAVA_HOME", jdk.toString());
    try {
      Process process = builder.start();
      String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      if (process.waitFor() != 0) {
        fail("test/native/build failed:\n" + output);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      fail("interrupted while the fake CUDA driver was compiled");
    }
  }

  private static boolean onPath(String program) {
    return Stream.of(System.getenv("PATH").split(File.pathSeparator))
        .anyMatch(folder -> Files.isExecutable(Path.of(folder, program)));
  }

  /** The jars with the natives of JCuda and JCublas. */
  private static List<String> natives() {
    List<String> jars =
        Stream.of(System.getProperty("java.class.path").split(File.pathSeparator))
            .filter(path -> path.matches(".*j(cuda|cublas)-natives-.*-linux-x86_64\\.jar"))
            .collect(Collectors.toList());
    assertEquals(2, jars.size(), () -> "natives on the class path: " + jars);
    return jars;
  }
}
