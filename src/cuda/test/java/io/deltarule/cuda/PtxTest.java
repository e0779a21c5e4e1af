package io.deltarule.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import jcuda.nvptxcompiler.JNvPTXCompiler;
import jcuda.nvptxcompiler.nvPTXCompileResult;
import jcuda.nvptxcompiler.nvPTXCompilerHandle;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The committed PTX comes from the committed sources, and its cards' assembler takes it. */
@Tag("kernels")
class PtxTest {
  private static final Path FOLDER = Path.of("main/resources/io/deltarule/cuda/ptx");
  private static final Path KERNELS = Path.of("../../kernels");

  /** Turing, Ampere (server and desktop), Ada, Hopper. */
  private static final List<String> CARDS = List.of("sm_75", "sm_80", "sm_86", "sm_89", "sm_90");

  private static final Pattern INCLUDE = Pattern.compile("(?m)^#include \"(.*)\"$");
  private static final Pattern KERNEL = Pattern.compile("(?m)^KERNEL\\(.*\\) void (\\w+)\\(");
  private static final Pattern ENTRY = Pattern.compile("(?m)^\\.visible \\.entry (\\w+)\\(");
  private static final Pattern TARGET = Pattern.compile("(?m)^\\.target sm_(\\d+)$");
  private static final Pattern MEMORY =
      Pattern.compile(
          "(\\d+) bytes stack frame, (\\d+) bytes spill stores, (\\d+) bytes spill loads");

  @BeforeAll
  static void failuresAreExceptionsOfTheTest() {
    JNvPTXCompiler.setExceptionsEnabled(false);
  }

  static List<Path> modules() throws IOException {
    try (Stream<Path> files = Files.list(FOLDER)) {
      return files.sorted().toList();
    }
  }

  @ParameterizedTest
  @MethodSource("modules")
  void comesFromTheSources(Path module) throws IOException, NoSuchAlgorithmException {
    List<String> lines = Files.readAllLines(module);
    String[] words = lines.get(0).split(" ");
    assertEquals(module.getFileName().toString(), words[2] + ".ptx");
    Set<String> sources = new TreeSet<>();
    addWithIncluded(words[3], sources);
    MessageDigest hash = MessageDigest.getInstance("SHA-256");
    hash.update((lines.get(0) + "\n").getBytes(StandardCharsets.UTF_8));
    for (String source : sources) {
      hash.update(Files.readAllBytes(KERNELS.resolve(source)));
    }
    assertEquals(
        "// sources: sha256 " + HexFormat.of().formatHex(hash.digest()),
        lines.get(1),
        "the sources have changed; run ci/ptx, which needs nvcc");
  }

  private static void addWithIncluded(String source, Set<String> sources) throws IOException {
    sources.add(source);
    for (String header : names(INCLUDE, Files.readString(KERNELS.resolve(source)))) {
      addWithIncluded(header, sources);
    }
  }

  @ParameterizedTest
  @MethodSource("modules")
  void hasTheKernelsOfItsSource(Path module) throws IOException {
    String ptx = Files.readString(module);
    String source = Files.readString(KERNELS.resolve(ptx.split("\\s", 5)[3]));
    assertEquals(names(KERNEL, source), names(ENTRY, ptx));
  }

  @ParameterizedTest
  @MethodSource("modules")
  void assemblesWithoutSpills(Path module) throws IOException {
    String ptx = Files.readString(module);
    MatchResult target = TARGET.matcher(ptx).results().findFirst().orElseThrow();
    List<String> cards = CARDS.subList(CARDS.indexOf("sm_" + target.group(1)), CARDS.size());
    for (String card : cards) {
      String log = assemble(ptx, card);
      List<MatchResult> uses = MEMORY.matcher(log).results().toList();
      assertEquals(names(ENTRY, ptx).size(), uses.size(), log);
      for (MatchResult use : uses) {
        assertEquals("0 0 0", use.group(1) + " " + use.group(2) + " " + use.group(3), log);
      }
    }
  }

  private static Set<String> names(Pattern pattern, String text) {
    return pattern
        .matcher(text)
        .results()
        .map(name -> name.group(1))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  /** Assembles PTX for a card; what the assembler says of it. */
  private static String assemble(String ptx, String card) {
    byte[] text = (ptx + "\0").getBytes(StandardCharsets.US_ASCII);
    nvPTXCompilerHandle compiler = new nvPTXCompilerHandle();
    int status = JNvPTXCompiler.nvPTXCompilerCreate(compiler, text.length - 1, text);
    assertEquals(nvPTXCompileResult.NVPTXCOMPILE_SUCCESS, status, "nvPTXCompilerCreate");
    try {
      String[] options = {"--gpu-name=" + card, "--verbose"};
      status = JNvPTXCompiler.nvPTXCompilerCompile(compiler, options.length, options);
      assertTrue(
          status == nvPTXCompileResult.NVPTXCOMPILE_SUCCESS,
          () -> card + ": " + errorLog(compiler));
      long[] size = new long[1];
      JNvPTXCompiler.nvPTXCompilerGetInfoLogSize(compiler, size);
      byte[] log = new byte[(int) size[0] + 1];
      JNvPTXCompiler.nvPTXCompilerGetInfoLog(compiler, log);
      return card + ":\n" + new String(log, StandardCharsets.US_ASCII).strip();
    } finally {
      JNvPTXCompiler.nvPTXCompilerDestroy(compiler);
    }
  }

  private static String errorLog(nvPTXCompilerHandle compiler) {
    long[] size = new long[1];
    JNvPTXCompiler.nvPTXCompilerGetErrorLogSize(compiler, size);
    byte[] log = new byte[(int) size[0] + 1];
    JNvPTXCompiler.nvPTXCompilerGetErrorLog(compiler, log);
    return new String(log, StandardCharsets.US_ASCII).strip();
  }
}
