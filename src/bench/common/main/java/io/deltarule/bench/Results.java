package io.deltarule.bench;

import java.util.Arrays;
import java.util.stream.Collectors;

/** What is measured, as lines for the script that started the process. */
final class Results {
  private Results() {}

  static void print(String name, Object value) {
    System.out.println("result " + name + " " + value);
    System.out.flush();
  }

  static void print(String name, double[] values) {
    print(name, Arrays.stream(values).mapToObj(String::valueOf).collect(Collectors.joining(" ")));
  }
}
