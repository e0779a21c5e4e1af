package io.deltarule.app;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.deltarule.engine.Engine;
import java.io.IOException;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The ledger of kernels/README.md names what exists, and all of it. */
class LedgerTest {
  private static final Path KERNELS = Path.of("..", "..", "kernels");
  private static final String CONTRACT = "io.deltarule.engine.EngineContract";
  private static final List<String> HEADER =
      List.of(
          "id", "equation", "Engine method", "reference method", "host code", "kernels", "test");

  /** The methods of Engine that compute nothing: lifecycle, traffic and recording. */
  private static final Set<String> NO_EQUATION =
      Set.of(
          "description",
          "allocate",
          "allocateIndices",
          "allocateCursor",
          "write",
          "read",
          "copy",
          "set",
          "advance",
          "record",
          "finish",
          "allocatedBytes",
          "memory",
          "close");

  private static final Pattern EQUATION = Pattern.compile("(?m)^\\*\\*(E\\d+)\\*\\* ");
  private static final Pattern CODE = Pattern.compile("`([^`]+)`");
  private static final Pattern SOURCE = Pattern.compile(".*\\.(cl|clh|cu|cuh|h|inc|kernels)");
  private static final Pattern COMMENT = Pattern.compile("(?s)/\\*.*?\\*/|//[^\\n]*");
  private static final Pattern DIRECTIVE = Pattern.compile("(?m)^\\s*#(.*\\\\\\n)*.*$");

  /** {@code KERNEL(sizes) void name(}, and both dialects' own spelling. */
  private static final Pattern KERNEL =
      Pattern.compile(
          "\\b(?:KERNEL|__kernel|__global__)\\b[^;{}]*?\\bvoid"
              + "(?:\\s+__\\w+__\\s*\\([^()]*\\))?\\s+(\\w+)\\s*\\(");

  /** What moves numbers and computes none, such as a cursor's step. */
  private static final Pattern OTHER_KERNELS =
      Pattern.compile("(?m)^Kernels without an equation: (.*)$");

  @Test
  void theLedgerIsComplete() throws IOException {
    String readme = Files.readString(KERNELS.resolve("README.md"));
    assertEquals(List.of(), faults(readme, kernels(sources())));
  }

  private static Map<String, String> sources() throws IOException {
    Map<String, String> sources = new TreeMap<>();
    try (Stream<Path> files = Files.walk(KERNELS)) {
      for (Path file : (Iterable<Path>) files.filter(Files::isRegularFile)::iterator) {
        if (SOURCE.matcher(file.getFileName().toString()).matches()) {
          sources.put(file.toString(), Files.readString(file));
        }
      }
    }
    return sources;
  }

  /** The names of all kernels; null if there are no sources yet. */
  private static Set<String> kernels(Map<String, String> sources) {
    if (sources.isEmpty()) {
      return null;
    }
    Set<String> names = new TreeSet<>();
    for (String source : sources.values()) {
      String code = DIRECTIVE.matcher(COMMENT.matcher(source).replaceAll(" ")).replaceAll("");
      KERNEL.matcher(code).results().forEach(kernel -> names.add(kernel.group(1)));
    }
    return names;
  }

  /** All that is wrong with a ledger, one line each. */
  private static List<String> faults(String readme, Set<String> kernels) {
    List<String> faults = new ArrayList<>();
    Set<String> equations =
        EQUATION.matcher(readme).results().map(r -> r.group(1)).collect(Collectors.toSet());
    List<List<String>> rows = rows(readme);
    if (equations.isEmpty() || rows.isEmpty()) {
      faults.add("there are no equations, or there is no ledger");
    }
    Set<String> withRow = new LinkedHashSet<>();
    Set<String> computed = new LinkedHashSet<>();
    Set<String> named = new LinkedHashSet<>();
    for (List<String> row : rows) {
      if (row.size() != HEADER.size()) {
        faults.add("a row of " + row.size() + " cells: " + row);
        continue;
      }
      String id = row.get(0);
      if (!equations.contains(id)) {
        faults.add(id + " is no equation");
      }
      if (!withRow.add(id)) {
        faults.add(id + " has two rows");
      }
      for (int column = 2; column < HEADER.size(); column++) {
        List<String> names = CODE.matcher(row.get(column)).results().map(r -> r.group(1)).toList();
        if (names.isEmpty() && !(column == 5 && kernels == null)) {
          faults.add(id + " names no " + HEADER.get(column));
        }
        for (String name : names) {
          switch (column) {
            case 5 -> named.add(name);
            case 6 -> addIfNotNull(faults, id, missing(CONTRACT + "#" + name));
            default -> addIfNotNull(faults, id, missing(name));
          }
          String engine = Engine.class.getName() + "#";
          if (column == 2 && name.startsWith(engine)) {
            computed.add(name.substring(engine.length()));
          }
        }
      }
    }
    for (String equation : new TreeSet<>(equations)) {
      if (!withRow.contains(equation)) {
        faults.add(equation + " has no row");
      }
    }
    for (Method method : Engine.class.getDeclaredMethods()) {
      String name = method.getName();
      if (!method.isSynthetic() && !NO_EQUATION.contains(name) && !computed.contains(name)) {
        faults.add("Engine#" + name + " has no row");
      }
    }
    OTHER_KERNELS
        .matcher(readme)
        .results()
        .flatMap(line -> CODE.matcher(line.group(1)).results())
        .forEach(name -> named.add(name.group(1)));
    for (String name : named) {
      if (kernels == null || !kernels.contains(name)) {
        faults.add("there is no kernel " + name);
      }
    }
    for (String name : kernels == null ? Set.<String>of() : kernels) {
      if (!named.contains(name)) {
        faults.add("the kernel " + name + " has no row");
      }
    }
    return faults;
  }

  private static void addIfNotNull(List<String> faults, String id, String missing) {
    if (missing != null) {
      faults.add(id + ": " + missing);
    }
  }

  /** The cells of the table under {@link #HEADER}. */
  private static List<List<String>> rows(String readme) {
    List<List<String>> rows = new ArrayList<>();
    boolean inside = false;
    for (String line : readme.lines().toList()) {
      List<String> cells = cells(line);
      if (cells.equals(HEADER)) {
        inside = true;
      } else if (!line.startsWith("|")) {
        inside = false;
      } else if (inside && !line.startsWith("|--")) {
        rows.add(cells);
      }
    }
    return rows;
  }

  private static List<String> cells(String line) {
    String trimmed = line.strip();
    return trimmed.startsWith("|") && trimmed.endsWith("|") && trimmed.length() > 1
        ? Arrays.stream(trimmed.substring(1, trimmed.length() - 1).split("\\|", -1))
            .map(String::strip)
            .toList()
        : List.of();
  }

  /** What is missing of {@code class#method}; null if nothing is. */
  private static String missing(String name) {
    String[] parts = name.split("#", -1);
    if (parts.length != 2) {
      return name + " is not class#method";
    }
    try {
      // Not initialised: an engine's class might load its driver.
      Class<?> type = Class.forName(parts[0], false, LedgerTest.class.getClassLoader());
      boolean found =
          Arrays.stream(type.getDeclaredMethods()).anyMatch(m -> m.getName().equals(parts[1]));
      return found ? null : "no method " + name;
    } catch (ClassNotFoundException e) {
      return "no class " + parts[0];
    }
  }

  // The test itself, on ledgers with planted faults.

  private static final String EQUATIONS = "**E1** `a`\n\n**E2** `b`\n\n";
  private static final String TABLE =
      "| " + String.join(" | ", HEADER) + " |\n|---|---|---|---|---|---|---|\n";

  private static String row(
      String id, String engine, String reference, String kernels, String test) {
    String host = "io.deltarule.engine.spi.AbstractEngine#launchForward"; // not public, not here
    return "| %s | words | `%s` | `%s` | `%s` | %s | %s |%n"
        .formatted(id, engine, reference, host, kernels, test);
  }

  private static String row(String id, String method, String kernels) {
    return row(
        id,
        "io.deltarule.engine.Engine#" + method,
        "io.deltarule.reference.Reference#activations",
        kernels,
        "`forward`");
  }

  /** Rows of two equations that name all methods. */
  private static String sound(String kernelsOfE1, String kernelsOfE2) {
    String methods = "forward`, `io.deltarule.engine.Engine#";
    return EQUATIONS
        + TABLE
        + row("E1", methods + methods.replace("forward", "outputError") + "propagate", kernelsOfE1)
        + row(
            "E2",
            methods.replace("forward", "gradients")
                + methods.replace("forward", "update")
                + "gather",
            kernelsOfE2);
  }

  private static void assertFault(String fault, String readme, Set<String> kernels) {
    List<String> faults = faults(readme, kernels);
    assertTrue(faults.contains(fault), () -> fault + " is not among " + faults);
  }

  @Test
  void aSoundLedgerHasNoFaults() {
    assertEquals(List.of(), faults(sound("-", "-"), null));
    assertEquals(List.of(), faults(sound("`k`, `l`", "`l`"), Set.of("k", "l")));
  }

  @Test
  void namesThatDoNotExist() {
    String engine = "io.deltarule.engine.Engine#forward";
    String reference = "io.deltarule.reference.Reference#activations";
    assertFault(
        "E1: no method io.deltarule.engine.Engine#forwards",
        EQUATIONS + TABLE + row("E1", engine + "s", reference, "-", "`forward`"),
        null);
    assertFault(
        "E1: no class io.deltarule.reference.References",
        EQUATIONS
            + TABLE
            + row("E1", engine, "io.deltarule.reference.References#activations", "-", "`forward`"),
        null);
    assertFault(
        "E1: io.deltarule.reference.Reference is not class#method",
        EQUATIONS + TABLE + row("E1", engine, "io.deltarule.reference.Reference", "-", "`forward`"),
        null);
    assertFault(
        "E1: no method io.deltarule.engine.EngineContract#backward",
        EQUATIONS + TABLE + row("E1", engine, reference, "-", "`forward`, `backward`"),
        null);
    assertFault(
        "E1 names no test", EQUATIONS + TABLE + row("E1", engine, reference, "-", "-"), null);
  }

  @Test
  void equationsAndRowsThatDoNotMatch() {
    String ledger = sound("-", "-");
    assertFault("E3 has no row", "**E3** `c`\n\n" + ledger, null);
    assertFault("E2 is no equation", ledger.replace("**E2** ", ""), null);
    assertFault("E1 has two rows", ledger.replace("| E2 |", "| E1 |"), null);
    assertFault("E2 has no row", ledger.replace("| E2 |", "| E1 |"), null);
    assertFault("Engine#gather has no row", ledger.replace("#gather", "#update"), null);
    assertFault("there are no equations, or there is no ledger", "nothing", null);
    assertFault("there are no equations, or there is no ledger", EQUATIONS, null);
    String narrow = EQUATIONS + TABLE + "| E1 | words |\n";
    assertFault("a row of 2 cells: [E1, words]", narrow, null);
  }

  @Test
  void kernelsThatDoNotMatch() {
    assertFault("there is no kernel k", sound("`k`", "-"), null);
    assertFault("there is no kernel k", sound("`k`", "`l`"), Set.of("l"));
    assertFault("the kernel m has no row", sound("`k`", "`l`"), Set.of("k", "l", "m"));
    String others = "Kernels without an equation: `m`, `n`.\n\n";
    assertFault("there is no kernel n", others + sound("`k`", "`l`"), Set.of("k", "l", "m"));
    assertEquals(List.of(), faults(others + sound("`k`", "`l`"), Set.of("k", "l", "m", "n")));
    assertFault("E2 names no kernels", sound("`k`", "-"), Set.of("k"));
  }

  @Test
  void kernelsAreFoundInTheirSources() {
    String source =
        """
        #define KERNEL __kernel
        #define LONG(x) \\
            KERNEL(WG, 1) void inMacro(x)
        // KERNEL void inComment(int a) {}
        /* __kernel void inBlock(
           int a) {} */
        KERNEL(WG, 1) void first(GLOBAL float *a) {}
        KERNEL void second(
            GLOBAL float *a) {}
        __kernel __attribute__((reqd_work_group_size(16, 16, 1)))
        void third(int a) {}
        extern "C" __global__ void __launch_bounds__(256) fourth (int a) {}
        static float helper(float x) { return first2(x); }
        """;
    Set<String> expected = Set.of("first", "second", "third", "fourth");
    assertEquals(expected, kernels(Map.of("one.cl", source)));
    assertEquals(Set.of(), kernels(Map.of("one.h", "")));
    assertEquals(null, kernels(Map.of()));
    assertTrue(SOURCE.matcher("forward.cl").matches() && SOURCE.matcher("one.h").matches());
    assertTrue(!SOURCE.matcher("README.md").matches());
  }
}
