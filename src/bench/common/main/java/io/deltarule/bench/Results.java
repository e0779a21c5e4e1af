package io.deltarule.bench;

/** What is measured, as lines for the script that started the process. */
final class Results {
  private Results() {}

  static void print(String name, Object value) {
    System.out.println("result " + name + " " + value);
    System.out.flush();
  }
}
