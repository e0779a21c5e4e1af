package io.deltarule.engine;

import io.deltarule.engine.UpdateRule.Adam;
import io.deltarule.engine.UpdateRule.Momentum;
import io.deltarule.engine.UpdateRule.Sgd;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** What the contract is tested on: sizes, rules, and the calls with their operands. */
final class Cases {
  private Cases() {}

  /** Ones, primes, and what lies at and beside the edges of tiles. */
  private static final int[] SIZES = {
    1, 2, 3, 5, 7, 8, 9, 13, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 257
  };

  private static final int LARGEST_CUBE = 129;

  /** A layer: m samples, k inputs, n units. */
  record Shape(int m, int k, int n) {
    @Override
    public String toString() {
      return m + " samples, " + k + " inputs, " + n + " units";
    }
  }

  static Stream<Shape> shapes() {
    List<Shape> shapes = new ArrayList<>();
    for (int size : SIZES) {
      shapes.add(new Shape(size, 5, 3));
      shapes.add(new Shape(7, size, 5));
      shapes.add(new Shape(5, 7, size));
      if (size <= LARGEST_CUBE) {
        shapes.add(new Shape(size, size, size));
      }
    }
    shapes.addAll(
        List.of(
            new Shape(2049, 1, 1),
            new Shape(1, 2049, 1),
            new Shape(1, 1, 2049),
            new Shape(1025, 3, 2),
            new Shape(5003, 17, 9),
            new Shape(2, 1025, 3),
            new Shape(3, 2, 1025),
            new Shape(257, 33, 65),
            new Shape(65, 257, 129),
            new Shape(33, 129, 257),
            new Shape(0, 1, 1),
            new Shape(0, 5, 7),
            new Shape(0, 257, 129)));
    return shapes.stream();
  }

  /** Logits: m samples of n outputs. */
  static Stream<Shape> outputs() {
    List<Shape> shapes = new ArrayList<>();
    for (int size : SIZES) {
      shapes.add(new Shape(size, 0, 1));
      shapes.add(new Shape(7, 0, size));
      shapes.add(new Shape(size, 0, size));
    }
    shapes.add(new Shape(4099, 0, 1));
    shapes.add(new Shape(2, 0, 1025));
    shapes.add(new Shape(0, 0, 1));
    shapes.add(new Shape(0, 0, 9));
    return shapes.stream();
  }

  /** A rule for some parameters. */
  record Update(UpdateRule rule, int parameters) {}

  static Stream<Update> updates() {
    return updates(IntStream.concat(IntStream.of(SIZES), IntStream.of(1000, 4099)).toArray());
  }

  static Stream<Update> someUpdates() {
    return updates(1, 17, 129);
  }

  private static Stream<Update> updates(int... sizes) {
    List<UpdateRule> rules =
        List.of(
            new Sgd(),
            new Momentum(0.9f),
            new Momentum(0),
            new Adam(0.9f, 0.999f, 1e-8f),
            new Adam(0, 0.5f, 1e-3f));
    return rules.stream().flatMap(rule -> IntStream.of(sizes).mapToObj(p -> new Update(rule, p)));
  }

  /**
   * An operand of a call.
   *
   * @param free whether its rows may be any number
   */
  record Spec(String name, int rows, int columns, boolean result, boolean free) {
    static Spec input(String name, int rows, int columns) {
      return new Spec(name, rows, columns, false, false);
    }

    static Spec result(String name, int rows, int columns) {
      return new Spec(name, rows, columns, true, false);
    }

    Spec anyRows() {
      return new Spec(name, rows, columns, result, true);
    }

    String shape() {
      return "[" + rows + " x " + columns + "]";
    }
  }

  /** The operands that are no matrices: two lists of five numbers below 6, a cursor at 1. */
  record Pointers(Indices rows, Cursor at) {}

  /** A call, with the matrices in the order of the specs. */
  interface Invocation {
    void on(Engine engine, Matrix[] matrices, Pointers pointers);
  }

  /** One kind of call on operands of small shapes that fit. */
  record Operation(String name, String variant, List<Spec> specs, Invocation call) {
    @Override
    public String toString() {
      return name + variant;
    }
  }

  static Stream<Operation> operations() {
    Spec x = Spec.input("X", 3, 4);
    Spec w = Spec.input("W", 5, 4);
    Spec b = Spec.input("b", 1, 5);
    Spec a = Spec.result("A", 3, 5);
    return Stream.of(
        new Operation(
            "copy",
            "",
            List.of(Spec.input("from", 3, 4), Spec.result("to", 3, 4)),
            (e, m, p) -> e.copy(m[0], m[1])),
        new Operation(
            "gather",
            "",
            List.of(Spec.input("data", 6, 4).anyRows(), Spec.result("batch", 3, 4).anyRows()),
            (e, m, p) -> e.gather(m[0], p.rows, p.at, m[1])),
        new Operation(
            "forward",
            " with A saved",
            List.of(x, w, b, a),
            (e, m, p) -> e.forward(m[0], m[1], m[2], Activation.RELU, m[3], m[3])),
        new Operation(
            "forward",
            " with Z saved",
            List.of(x, w, b, Spec.result("saved", 3, 5), a),
            (e, m, p) -> e.forward(m[0], m[1], m[2], Activation.GELU, m[3], m[4])),
        new Operation(
            "outputError",
            "",
            List.of(
                Spec.input("Z", 3, 4),
                Spec.input("Y", 3, 4),
                Spec.result("D", 3, 4),
                Spec.result("losses", 2, 1).anyRows()),
            (e, m, p) -> e.outputError(Output.SIGMOID, m[0], m[1], m[2], m[3], p.at)),
        new Operation(
            "propagate",
            "",
            List.of(
                Spec.input("D", 3, 5),
                Spec.input("W", 5, 4),
                Spec.input("saved", 3, 4),
                Spec.result("E", 3, 4)),
            (e, m, p) -> e.propagate(m[0], m[1], Activation.RELU, m[2], m[3])),
        new Operation(
            "gradients",
            "",
            List.of(
                Spec.input("D", 3, 5),
                Spec.input("A", 3, 4),
                Spec.result("dW", 5, 4),
                Spec.result("db", 1, 5)),
            (e, m, p) -> e.gradients(m[0], m[1], m[2], m[3])),
        new Operation(
            "update",
            "",
            List.of(
                Spec.result("theta", 1, 7),
                Spec.input("gradient", 1, 7),
                Spec.result("state", 2, 7),
                Spec.input("schedule", 3, 4).anyRows()),
            (e, m, p) -> e.update(new Adam(0.9f, 0.999f, 1e-8f), m[0], m[1], m[2], m[3], p.at)));
  }

  /** What a recording refuses. */
  static Stream<BiConsumer<Engine, Matrix>> refused() {
    return Stream.of(
        (e, m) -> e.allocate("more", 1, 1),
        (e, m) -> e.allocateIndices("more", 1, 1, 1),
        (e, m) -> e.allocateCursor("more"),
        (e, m) -> e.write(m, new float[(int) m.size()]),
        (e, m) -> e.read(m, new float[(int) m.size()]),
        (e, m) -> e.finish(),
        (e, m) -> e.record(() -> {}));
  }

  /** What it refuses to close, which does nothing when closed already. */
  static Stream<BiConsumer<Engine, Matrix>> closings() {
    return Stream.of((e, m) -> m.close(), (e, m) -> e.close());
  }
}
