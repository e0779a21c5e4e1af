package io.deltarule.opencl;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Cursor;
import io.deltarule.engine.Engine;
import io.deltarule.engine.Indices;
import io.deltarule.engine.Matrix;
import io.deltarule.engine.Output;
import io.deltarule.engine.Recording;
import io.deltarule.engine.UpdateRule;
import java.util.List;

/**
 * Runs every kernel once or twice, at the edges of tiles and in blocks that end where their last
 * matrix does, for a checker of races and bounds to watch. See ci/oclgrind.
 */
final class OclgrindCheck {
  private static final List<UpdateRule> RULES =
      List.of(
          new UpdateRule.Sgd(),
          new UpdateRule.Momentum(0.9f),
          new UpdateRule.Adam(0.9f, 0.999f, 1e-8f));

  private static final int TALL = 1100; // rows, more than are added at once

  private OclgrindCheck() {}

  /**
   * Runs it.
   *
   * @param options for the kernels' compiler, such as -DPLANT_RACE=1
   */
  public static void main(String[] options) {
    StringBuilder extra = new StringBuilder();
    for (String option : options) {
      extra.append(' ').append(option);
    }
    // Of little memory: what the checker takes grows with the buffers that there are.
    Device device =
        Devices.find()
            .choose("")
            .limited(TestDevice.SMALL_ITEMS, TestDevice.SMALL_LOCAL_BYTES, 1 << 21, 1 << 20);
    List<Tile> tiles = TestDevice.GPU_TUNING.tiles();
    if (options.length > 0) { // the fault is elsewhere
      check(device, tiles.get(1), extra.toString());
    } else {
      Device gpu = device.asGpu(TestDevice.UNITS);
      tiles.forEach(tile -> check(gpu, tile, ""));
      checkTall(gpu, tiles.get(1));
      check(device, tiles.get(0), "");
      check(device, new Tile(1, 4, 2, 1, 4, 8, false, true), "");
      check(device, new Tile(2, 2, 3, 1, 2, 4, false, false), "");
      check(device, new Tile(2, 4, 2, 1, 4, 8, true, false), "");
    }
    System.out.println("oclgrind check: all kernels ran on " + device);
  }

  private static void check(Device device, Tile tile, String options) {
    Tuning tuning = Tuning.of(tile);
    try (Engine engine = new OpenClEngine(device, tuning, CacheFolder.none(), options)) {
      step(engine, 1, 1, 1);
      step(engine, 17, 5, 3);
      step(engine, 67, 19, 65);
      step(engine, 0, 3, 2);
    }
  }

  /** Gradients in chunks. */
  private static void checkTall(Device device, Tile tile) {
    try (Engine engine = new OpenClEngine(device, Tuning.of(tile), CacheFolder.none(), "")) {
      Matrix d = engine.allocate("d", TALL, 2);
      Matrix a = engine.allocate("a", TALL, 3);
      engine.gradients(d, a, engine.allocate("dw", 2, 3), engine.allocate("db", 1, 2));
      engine.finish();
    }
  }

  /** A step of a layer, with all its calls, called and replayed. */
  private static void step(Engine engine, int m, int k, int n) {
    Matrix data = engine.allocate("data", m + 1, k);
    Matrix x = engine.allocate("x", m, k);
    Matrix y = engine.allocate("y", m, n);
    Matrix theta = engine.allocate("theta", 1, n * k + n);
    Matrix gradient = engine.allocate("gradient", 1, n * k + n);
    Matrix z = engine.allocate("z", m, n);
    Matrix a = engine.allocate("a", m, n);
    Matrix d = engine.allocate("d", m, n);
    Matrix e = engine.allocate("e", m, k);
    Matrix copy = engine.allocate("copy", m, n);
    Matrix schedule = engine.allocate("schedule", 30, UpdateRule.SCALARS);
    Matrix losses = engine.allocate("losses", 30, 1);
    Indices rows = engine.allocateIndices("rows", 30, m, m + 1);
    Cursor at = engine.allocateCursor("at");
    engine.write(data, new float[(m + 1) * k]);
    engine.write(rows, new int[30 * m]);
    engine.set(at, 1);
    Matrix w = theta.slice(0, n, k);
    Matrix b = theta.slice((long) n * k, 1, n);
    Matrix dw = gradient.slice(0, n, k);
    Matrix db = gradient.slice((long) n * k, 1, n);
    for (UpdateRule rule : RULES) {
      Matrix state = engine.allocate("state", rule.stateRows(), n * k + n);
      Runnable calls =
          () -> {
            engine.gather(data, rows, at, x);
            engine.forward(x, w, b, Activation.RELU, a, a);
            engine.forward(x, w, b, Activation.GELU, z, a);
            engine.copy(a, copy);
            for (Output output : Output.values()) {
              engine.outputError(output, z, y, d, losses, at);
            }
            engine.propagate(d, w, Activation.GELU, x, e);
            engine.gradients(d, x, dw, db);
            engine.update(rule, theta, gradient, state, schedule, at);
            engine.advance(at);
          };
      calls.run();
      try (Recording recording = engine.record(calls)) {
        recording.run();
      }
    }
    engine.read(theta, new float[n * k + n]);
  }
}
