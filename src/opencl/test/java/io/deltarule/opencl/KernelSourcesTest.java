package io.deltarule.opencl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.deltarule.engine.Activation;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

class KernelSourcesTest {

  @Test
  void activationsHaveTheNumbersOfTheirConstants() {
    String source = Sources.of("gemm.cl");
    for (Activation f : Activation.values()) {
      assertEquals(f.ordinal() + "", macro(source, f.name()), f.name());
    }
    assertEquals(Activation.LEAKY_SLOPE + "f", macro(source, "LEAKY_SLOPE"));
    assertEquals(Activation.GELU_SCALE + "f", macro(source, "GELU_SCALE"));
    assertEquals(Activation.GELU_CUBIC + "f", macro(source, "GELU_CUBIC"));
  }

  private static String macro(String source, String name) {
    Matcher matcher = Pattern.compile("#define " + name + " (\\S+)").matcher(source);
    assertTrue(matcher.find(), name);
    return matcher.group(1);
  }

  @Test
  void includesComeOnceAndErrorsNameTheirFile() {
    String source = Sources.of("gemm.cl", "update.cl");
    assertEquals(2, source.split("#define DELTARULE_PORTABLE_H", -1).length);
    assertTrue(source.contains("#line 1 \"update.cl\""));
    assertTrue(!source.contains("#include"), "OpenCL compilers know no folder");
  }

  @Test
  void nothingNeedsDoublePrecision() {
    String source =
        Sources.of("gemm.cl", "output_error.cl", "column_sums.cl", "update.cl", "gather.cl")
            .replaceAll("(?s)/\\*.*?\\*/", "");
    assertTrue(!source.toLowerCase(Locale.ROOT).contains("double"));
    Matcher constant = Pattern.compile("\\b\\d+\\.\\d+(e-?\\d+)?\\b(?!f)").matcher(source);
    assertTrue(!constant.find(), "a constant without f is a double");
  }
}
