package io.deltarule.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What this module must not call, since JCuda 12.6 does not do it. */
class JCudaTrapsTest {
  /**
   * These products answer "not supported" to the compute types of today without asking cuBLAS, and
   * throw nothing. Those that end in _new work.
   */
  private static final Pattern REFUSED_PRODUCTS =
      Pattern.compile("\\bcublasGemm(|Batched|StridedBatched)Ex(_64)?\\b");

  /** These throw UnsupportedOperationException. */
  private static final Pattern NOT_THERE =
      Pattern.compile("\\b(cuGraphExecUpdate|cuStreamGetCaptureInfo)\\b");

  private static List<Path> sources() throws IOException {
    try (Stream<Path> files = Files.walk(Path.of("main/java"))) {
      List<Path> sources = files.filter(file -> file.toString().endsWith(".java")).toList();
      assertFalse(sources.isEmpty());
      return sources;
    }
  }

  private static void assertNone(Pattern pattern) throws IOException {
    for (Path source : sources()) {
      Matcher matcher = pattern.matcher(Files.readString(source));
      assertFalse(matcher.find(), () -> source + " has " + matcher.group());
    }
  }

  @Test
  void noSourceCallsThem() throws IOException {
    assertNone(REFUSED_PRODUCTS);
    assertNone(NOT_THERE);
  }

  @Test
  void thePatternsKnowTheCalls() {
    for (String call :
        List.of("cublasGemmEx(", "JCublas2.cublasGemmBatchedEx(", "cublasGemmEx_64")) {
      assertEquals(1, REFUSED_PRODUCTS.matcher(call).results().count(), call);
    }
    for (String call :
        List.of("cublasGemmEx_new(", "cublasGemmStridedBatchedEx_new", "cublasSgemm(")) {
      assertEquals(0, REFUSED_PRODUCTS.matcher(call).results().count(), call);
    }
  }
}
