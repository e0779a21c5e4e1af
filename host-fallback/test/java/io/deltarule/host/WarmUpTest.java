package io.deltarule.host;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Cursor;
import io.deltarule.engine.Engine;
import io.deltarule.engine.Matrix;
import io.deltarule.engine.UpdateRule;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** For a JVM with vectors. */
class WarmUpTest {

  @Test
  void endsWithVectorsThatAreFasterThanPlainLoops() {
    WarmUp warmUp = new WarmUp();
    warmUp.run();
    assertTrue(warmUp.ready());
  }

  /** A step of each kind, before, during and after the change. */
  @Test
  void theChangeLeavesTheBits() {
    List<float[]> plain = results(new AtomicInteger(Integer.MAX_VALUE));
    for (int calls = 0; calls <= 4; calls++) {
      AtomicInteger left = new AtomicInteger(calls);
      List<float[]> changed = results(left);
      assertEquals(-1, left.get(), "not asked after the change");
      for (int i = 0; i < plain.size(); i++) {
        assertArrayEquals(plain.get(i), changed.get(i));
      }
    }
  }

  private static List<float[]> results(AtomicInteger callsBefore) {
    List<float[]> results = new ArrayList<>();
    try (Engine engine =
        new HostEngine(
            2,
            workers ->
                new WarmingKernels(
                    new PlainKernels(workers),
                    Vectorization.kernels(workers),
                    () -> callsBefore.getAndDecrement() == 0))) {
      Matrix x = HostEngines.random(engine, 33, 470, 1);
      Matrix w = HostEngines.random(engine, 70, 470, 2);
      Matrix b = HostEngines.random(engine, 1, 70, 3);
      Matrix a = engine.allocate("a", 33, 70);
      Matrix e = engine.allocate("e", 33, 470);
      Matrix dw = engine.allocate("dw", 70, 470);
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
