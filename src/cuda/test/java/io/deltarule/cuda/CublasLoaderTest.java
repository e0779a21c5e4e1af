package io.deltarule.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.deltarule.cuda.Cublas.Factor;
import io.deltarule.engine.EngineUnavailableException;
import io.deltarule.engine.Precision;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which cuBLAS is loaded, and that it computes, with the fake one in all the places. */
class CublasLoaderTest {
  private static final String TWELVE = "libcublas.so.12";
  private static final String THIRTEEN = "libcublas.so.13";

  @TempDir Path folder;

  private Path linker; // the folder in which the linker looks first
  private Path driver;
  private ChildJvm child;

  @BeforeEach
  void hideWhatTheMachineHas() throws IOException {
    linker = Files.createDirectories(folder.resolve("linker"));
    driver =
        Files.copy(FakeDriver.folder().resolve("libcuda.so.1"), linker.resolve("libcuda.so.1"));
    for (String name : List.of(TWELVE, THIRTEEN)) { // found before any other, and of no use
      Files.createFile(linker.resolve(name));
    }
    child = new ChildJvm(LoadAndMultiply.class, folder).variable("LD_LIBRARY_PATH", linker);
  }

  /** Toolkits in the usual folders come before what Python has. */
  private static void assumeNoToolkit() {
    assumeTrue(
        new CublasPlaces(Path.of("/"), Path.of("/nowhere"), name -> null)
            .candidates().stream().allMatch(candidate -> candidate.file() == null),
        "a CUDA toolkit is installed here, which is always taken");
  }

  /** Puts a libcublas into a folder, and the libcublasLt that belongs to it. */
  private Path place(int version, Path in) throws IOException {
    Files.createDirectories(in);
    Path library = FakeDriver.cublas(version);
    String light = "libcublasLt.so." + version;
    Files.copy(library.resolveSibling(light), in.resolve(light));
    return Files.copy(library, in.resolve(library.getFileName()));
  }

  private Path placeCutOff(Path in) throws IOException {
    byte[] bytes = Files.readAllBytes(FakeDriver.cublas(12));
    Files.createDirectories(in);
    return Files.write(in.resolve(TWELVE), Arrays.copyOf(bytes, bytes.length / 2));
  }

  private List<String> run(int driverVersion) throws Exception {
    return child.run(driver.toString(), Integer.toString(driverVersion));
  }

  /** The line that describes the library, once it has multiplied. */
  private String loaded() throws Exception {
    List<String> output = run(13000);
    assertEquals("multiplied", output.get(output.size() - 1), output::toString);
    try (Stream<Path> files = Files.list(child.temporary())) {
      assertFalse(files.anyMatch(file -> file.toString().contains("deltarule")));
    }
    return output.get(0);
  }

  private String refused() throws Exception {
    List<String> output = run(13000);
    assertEquals(List.of("refused"), output.subList(1, output.size()));
    return output.get(0);
  }

  @Test
  void withoutAnyThereIsAReasonForEach() throws Exception {
    assumeNoToolkit();
    Path cut = placeCutOff(folder.resolve("conda/lib"));
    child.variable("CONDA_PREFIX", folder.resolve("conda"));
    List<String> output = run(13000);
    assertEquals(2, output.size(), output::toString);
    String reasons = output.get(0);
    assertTrue(reasons.startsWith("no cuBLAS: system's libcublas.so.12: "), reasons);
    assertTrue(reasons.contains("libcublas.so.13: file too short"), reasons);
    assertTrue(reasons.contains("conda's " + cut + ": cut off"), reasons);
    assertEquals("none", output.get(1));
  }

  @Test
  void theLinkersIsTakenFirst() throws Exception {
    Files.delete(linker.resolve(TWELVE));
    Path file = place(12, linker);
    assertEquals("cuBLAS 12 of system (" + file + ")", loaded());
  }

  @Test
  void thirteenIsTakenIfThereIsNoTwelve() throws Exception {
    assumeNoToolkit();
    Files.delete(linker.resolve(THIRTEEN));
    Path file = place(13, linker);
    assertEquals("cuBLAS 13 of system (" + file + "), JCublas2 rewritten for it", loaded());
  }

  @Test
  void thirteenIsLeftToDriversThatKnowIt() throws Exception {
    assumeNoToolkit();
    Files.delete(linker.resolve(THIRTEEN));
    place(13, linker);
    String reasons = run(12040).get(0);
    assertTrue(
        reasons.contains("needs NVIDIA's driver for CUDA 13, this one is for CUDA 12.4"), reasons);
  }

  @Test
  void theUsersIsTakenBeforeAll() throws Exception {
    Files.delete(linker.resolve(TWELVE));
    place(12, linker);
    Path file = place(12, folder.resolve("mine"));
    Path renamed = Files.move(file, file.resolveSibling("renamed"));
    child.variable(CublasLoader.VARIABLE, renamed);
    assertEquals("cuBLAS 12 of user (" + renamed + ")", loaded());
  }

  @Test
  void thePropertyComesBeforeTheVariable() throws Exception {
    Path file = place(13, folder.resolve("mine"));
    child.variable(CublasLoader.VARIABLE, "/nowhere");
    child.property(CublasLoader.PROPERTY, file.getParent());
    assertEquals("cuBLAS 13 of user (" + file + "), JCublas2 rewritten for it", loaded());
  }

  @Test
  void whatTheUserNamesIsTakenOrRefused() throws Exception {
    Files.delete(linker.resolve(TWELVE));
    place(12, linker);
    Path cut = placeCutOff(folder.resolve("cut"));
    child.variable(CublasLoader.VARIABLE, cut.getParent());
    assertTrue(refused().contains(CublasLoader.VARIABLE + " names, " + cut.getParent()));
    child.variable(CublasLoader.VARIABLE, cut);
    assertTrue(refused().contains("cannot be used: cut off"));
    child.variable(CublasLoader.VARIABLE, child.home());
    assertTrue(refused().contains("neither libcublas.so.12 nor libcublas.so.13"));
    child.variable(CublasLoader.VARIABLE, linker.resolve("libcuda.so.1"));
    assertTrue(refused().contains("it is libcuda.so.1"));
    child.variable(CublasLoader.VARIABLE, "/nowhere");
    assertTrue(refused().contains("NoSuchFileException /nowhere"));
  }

  @Test
  void pipsOfTheUserIsFound() throws Exception {
    assumeNoToolkit();
    Path site = child.home().resolve(".local/lib/python3.12/site-packages");
    Path file = place(12, site.resolve("nvidia/cublas/lib"));
    assertEquals("cuBLAS 12 of pip (" + file + ")", loaded());
    Path light = file.resolveSibling("libcublasLt.so.12");
    assertTrue(run(13000).contains("mapped " + light), "its own libcublasLt comes with it");
  }

  @Test
  void pipsOfTheActiveEnvironmentIsFound() throws Exception {
    assumeNoToolkit();
    Path site = folder.resolve("venv/lib/python3.11/site-packages");
    Path file = place(13, site.resolve("nvidia/cu13/lib"));
    child.variable("VIRTUAL_ENV", folder.resolve("venv"));
    assertEquals("cuBLAS 13 of pip (" + file + "), JCublas2 rewritten for it", loaded());
  }

  @Test
  void aBrokenOneIsPassedOver() throws Exception {
    assumeNoToolkit();
    Path site = child.home().resolve(".local/lib/python3.12/site-packages");
    Path cut = placeCutOff(site.resolve("nvidia/cublas/lib"));
    Path file = place(12, folder.resolve("conda/lib"));
    child.variable("CONDA_PREFIX", folder.resolve("conda"));
    assertEquals("cuBLAS 12 of conda (" + file + ")", loaded());
    assertTrue(run(13000).stream().anyMatch(line -> line.startsWith("pip's " + cut + ": cut off")));
  }

  @Test
  void aFileOfAnotherNameIsPassedOver() throws Exception {
    assumeNoToolkit();
    Path lib = folder.resolve("conda/lib");
    Path renamed = Files.move(place(13, lib), lib.resolve(TWELVE));
    Path file = place(13, folder.resolve("conda/targets/x86_64-linux/lib"));
    child.variable("CONDA_PREFIX", folder.resolve("conda"));
    assertEquals("cuBLAS 13 of conda (" + file + "), JCublas2 rewritten for it", loaded());
    String passedOver = "conda's " + renamed + ": it is libcublas.so.13, not libcublas.so.12";
    assertTrue(run(13000).contains(passedOver));
  }

  /** What another process runs. */
  static final class LoadAndMultiply {
    private LoadAndMultiply() {}

    /**
     * Prints what is loaded, what was passed over, and how it ends.
     *
     * @param arguments the driver's library, and its version
     * @throws IOException if the mapped libraries cannot be read
     */
    public static void main(String[] arguments) throws IOException {
      System.load(arguments[0]);
      FakeDriver.configure(1, 80, Integer.parseInt(arguments[1]), 1 << 30, 1);
      assertTrue(Natives.driver().usable(), () -> Natives.driver().toString());
      CublasSearch search;
      try {
        search = CublasLoader.load();
      } catch (EngineUnavailableException e) {
        System.out.println(e.getMessage());
        System.out.println("refused");
        return;
      }
      assertEquals(search, CublasLoader.load());
      System.out.println(search.describe());
      if (search.library().isEmpty()) {
        System.out.println("none");
        return;
      }
      search.failures().forEach(System.out::println);
      Files.readAllLines(Path.of("/proc/self/maps")).stream()
          .filter(line -> line.contains("/libcublasLt.so."))
          .map(line -> "mapped " + line.substring(line.indexOf('/')))
          .distinct()
          .forEach(System.out::println);
      try (TestContext context = new TestContext();
          Cublas cublas = new Cublas(context.stream(), Cublas.workspaceBytes(8))) {
        var x = context.upload(1, 2, 3, 4, 5, 6); // [2 x 3]
        var w = context.upload(1, 0, 2, 0, 1, 1); // [2 x 3]
        var z = context.upload(9, 9, 9, 9);
        cublas.forward(Precision.FP32, new Factor(x, 3), new Factor(w, 3), z, 2, 2, 3);
        assertEquals("[7.0, 5.0, 16.0, 11.0]", Arrays.toString(context.download(z, 4)));
      }
      System.out.println("multiplied");
    }
  }
}
