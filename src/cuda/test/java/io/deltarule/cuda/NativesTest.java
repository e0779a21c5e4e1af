package io.deltarule.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.deltarule.engine.Availability;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import jcuda.driver.JCudaDriver;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Without a driver: one that cannot be loaded comes before any that the machine may have. */
class NativesTest {
  @TempDir Path folder;

  private ChildJvm withoutDriver(Class<?> main) throws IOException {
    Path broken = Files.createDirectories(folder.resolve("broken"));
    Files.createFile(broken.resolve("libcuda.so.1"));
    return new ChildJvm(main, folder).variable("LD_LIBRARY_PATH", broken);
  }

  @Test
  void aMissingDriverIsSaidAndRemembered() throws Exception {
    List<String> output = withoutDriver(ProbeTwice.class).run();
    assertEquals(2, output.size(), output::toString); // and nothing from native code
    assertTrue(output.get(0).startsWith("NVIDIA's driver is not installed ("), output.get(0));
    assertTrue(output.get(0).contains("libcuda.so.1"), output.get(0));
    assertTrue(output.get(1).startsWith("install the driver"), output.get(1));
  }

  /** What another process runs. */
  static final class ProbeTwice {
    private ProbeTwice() {}

    /**
     * Prints the reason and the remedy.
     *
     * @param arguments none
     */
    public static void main(String[] arguments) {
      Availability first = Natives.driver();
      assertFalse(first.usable());
      assertSame(first, Natives.driver());
      System.out.println(first.detail());
      System.out.println(first.remedy());
    }
  }

  @Test
  void jCudaFailsInTwoWaysThatAreBothLinkageErrors() throws Exception {
    assertEquals(List.of(), withoutDriver(TouchTwice.class).run());
  }

  /** What another process runs. */
  static final class TouchTwice {
    private TouchTwice() {}

    /**
     * Fails unless the first use and the second fail as is known.
     *
     * @param arguments none
     */
    public static void main(String[] arguments) {
      LinkageError first = assertThrows(UnsatisfiedLinkError.class, () -> JCudaDriver.cuInit(0));
      assertTrue(Natives.reason(first).contains("libcuda.so.1"), () -> Natives.reason(first));
      assertThrows(NoClassDefFoundError.class, () -> JCudaDriver.cuInit(0));
    }
  }

  @Test
  void theTemporaryFolderIsLeftAsItWas() throws Exception {
    ChildJvm child = withoutDriver(ProbeTwice.class);
    Path hostile = child.temporary().resolve("libJCudaDriver-12.6.0-linux-x86_64.so");
    Files.writeString(hostile, "not the library");
    List<String> output = child.run();
    assertTrue(output.get(0).contains("libcuda.so.1"), "it was looked for: " + output.get(0));
    assertEquals(List.of(hostile), files(child.temporary()));
    assertEquals("not the library", Files.readString(hostile));
  }

  @Test
  void aFolderThatCannotBeWrittenIsSaid() throws Exception {
    String output =
        String.join(
            "\n",
            withoutDriver(ProbeTwice.class).property("java.io.tmpdir", folder + "/nowhere").run());
    assertTrue(output.contains("JCuda's library cannot be extracted"), output);
    assertTrue(output.contains("let -Djava.io.tmpdir name a folder"), output);
  }

  private static List<Path> files(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.filter(file -> !file.getFileName().toString().startsWith("hsperf")).toList();
    }
  }
}
