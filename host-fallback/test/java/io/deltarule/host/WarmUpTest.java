package io.deltarule.host;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Cursor;
import io.deltarule.engine.Engine;
import io.deltarule.engine.Matrix;
import io.deltarule.engine.UpdateRule;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

/** For a JVM with vectors. */
class WarmUpTest {

  @Test
  void endsWithAllCompiled() {
    WarmUp warmUp = new WarmUp();
    warmUp.run();
    assertEquals(WarmUp.State.ALL, warmUp.state());
  }

  /** Calls of each kind, before, during and after the changes. */
  @Test
  void theChangesLeaveTheBits() {
    List<float[]> plain = results(() -> WarmUp.State.NOTHING);
    for (int wideFrom = 0; wideFrom <= 4; wideFrom++) {
      for (int allFrom = wideFrom; allFrom <= wideFrom + 4; allFrom += 2) {
        AtomicInteger asked = new AtomicInteger();
        int first = wideFrom;
        int second = allFrom;
        List<float[]> changed =
            results(
                () -> {
                  int calls = asked.getAndIncrement();
                  return calls >= second
                      ? WarmUp.State.ALL
                      : calls >= first ? WarmUp.State.WIDE : WarmUp.State.NOTHING;
                });
        assertEquals(Math.min(second + 1, 8), asked.get(), "not asked once all are compiled");
        for (int i = 0; i < plain.size(); i++) {
          assertArrayEquals(plain.get(i), changed.get(i));
        }
      }
    }
  }

  /** Wide products run in vectors as soon as those are compiled, and no other call does. */
  @Test
  void whatIsCompiledIsUsed() {
    for (WarmUp.State state : WarmUp.State.values()) {
      List<String> calls = new ArrayList<>();
      Kernels kernels =
          new WarmingKernels(listing("plain", calls), listing("vectors", calls), () -> state);
      try (Engine engine = new HostEngine(1, workers -> kernels)) {
        step(engine, 8, 97, 97);
        step(engine, 8, 96, 96);
        step(engine, 7, 97, 97); // dots of rows
        step(engine, 8, 1, 97); // one unit
      }
      String wide = state == WarmUp.State.NOTHING ? "plain" : "vectors";
      boolean dense = state.compareTo(WarmUp.State.DENSE) >= 0;
      String other = dense ? "vectors" : "plain";
      List<String> expected = new ArrayList<>();
      expected.addAll(List.of(wide + " forward", wide + " propagate", wide + " gradients"));
      expected.addAll(List.of(other + " forward", other + " propagate", wide + " gradients"));
      expected.addAll(List.of(other + " forward", wide + " propagate", wide + " gradients"));
      expected.addAll(List.of(other + " forward", wide + " propagate", other + " gradients"));
      assertEquals(expected, calls, state.toString());
    }
  }

  private static void step(Engine engine, int rows, int units, int inputs) {
    Matrix x = engine.allocate("x", rows, inputs);
    Matrix w = engine.allocate("w", units, inputs);
    Matrix b = engine.allocate("b", 1, units);
    Matrix a = engine.allocate("a", rows, units);
    Matrix d = engine.allocate("d", rows, units);
    Matrix e = engine.allocate("e", rows, inputs);
    Matrix dw = engine.allocate("dw", units, inputs);
    Matrix db = engine.allocate("db", 1, units);
    engine.forward(x, w, b, Activation.RELU, a, a);
    engine.propagate(d, w, Activation.RELU, x, e);
    engine.gradients(d, x, dw, db);
  }

  /** Kernels that compute nothing, but list who was called for what. */
  private static Kernels listing(String name, List<String> calls) {
    return (Kernels)
        Proxy.newProxyInstance(
            Kernels.class.getClassLoader(),
            new Class<?>[] {Kernels.class},
            (proxy, method, arguments) -> {
              if (method.getName().equals("vectors")) {
                return name;
              }
              calls.add(name + " " + method.getName());
              return null;
            });
  }

  private static List<float[]> results(Supplier<WarmUp.State> compiled) {
    List<float[]> results = new ArrayList<>();
    try (Engine engine =
        new HostEngine(
            2,
            workers ->
                new WarmingKernels(
                    new PlainKernels(workers), Vectorization.kernels(workers), compiled))) {
      Matrix x = HostEngines.random(engine, 33, 830, 1);
      Matrix w = HostEngines.random(engine, 70, 830, 2);
      Matrix b = HostEngines.random(engine, 1, 70, 3);
      Matrix a = engine.allocate("a", 33, 70);
      Matrix e = engine.allocate("e", 33, 830);
      Matrix dw = engine.allocate("dw", 70, 830);
      Matrix db = engine.allocate("db", 1, 70);
      UpdateRule adam = new UpdateRule.Adam(0.9f, 0.999f, 1e-8f);
      Matrix theta = HostEngines.random(engine, 1, 70_003, 4);
      Matrix gradient = HostEngines.random(engine, 1, 70_003, 5);
      Matrix state = engine.allocate("state", adam.stateRows(), 70_003);
      Matrix schedule = engine.allocate("schedule", 1, UpdateRule.SCALARS);
      engine.write(schedule, adam.scalars(1, 0.01, 0.1));
      Cursor at = engine.allocateCursor("at");
      for (int step = 0; step < 2; step++) {
        engine.forward(x, w, b, Activation.RELU, a, a);
        engine.propagate(a, w, Activation.RELU, x, e);
        engine.gradients(a, x, dw, db);
        engine.update(adam, theta, gradient, state, schedule, at);
        for (Matrix result : List.of(a, e, dw, db, theta, state)) {
          results.add(HostEngines.read(engine, result));
        }
      }
    }
    return results;
  }
}
