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
    Device device = Devices.find().choose("").limited(64, 16 << 10, 1 << 30, 1 << 30);
    List<Tuning> tunings =
        options.length > 0
            ? List.of(new Tuning(Tile.GPU_LARGE, Tile.GPU_SMALL)) // the fault is elsewhere
            : List.of(
                new Tuning(Tile.GPU_LARGE, Tile.GPU_LARGE),
                new Tuning(Tile.GPU_SMALL, Tile.GPU_SMALL),
                new Tuning(
                    new Tile(1, 4, 2, 1, 4, 8, false, true),
                    new Tile(2, 2, 3, 1, 2, 4, false, false)),
                new Tuning(
                    new Tile(2, 4, 2, 1, 4, 8, true, false),
                    new Tile(2, 4, 2, 1, 4, 8, true, false)));
    for (Tuning tuning : tunings) {
      try (Engine engine = new OpenClEngine(device, tuning, CacheFolder.none(), extra.toString())) {
        step(engine, 1, 1, 1);
        step(engine, 17, 5, 3);
        step(engine, 67, 19, 65);
        step(engine, 0, 3, 2);
      }
    }
    System.out.println("oclgrind check: all kernels ran on " + device);
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
