package io.deltarule.host;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import io.deltarule.engine.Activation;
import io.deltarule.engine.Cursor;
import io.deltarule.engine.Engine;
import io.deltarule.engine.Indices;
import io.deltarule.engine.Matrix;
import io.deltarule.engine.Output;
import io.deltarule.engine.Recording;
import io.deltarule.engine.UpdateRule;
import io.deltarule.engine.spi.Operand;
import io.deltarule.network.Network;
import io.deltarule.network.Parameters;
import io.deltarule.training.Stack;
import io.deltarule.training.TrainingSteps;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.ref.WeakReference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.IntStream;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordedFrame;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class HostEngineTest {

  /** A recorded training step of a network on random data. */
  private static final class Step {
    private static final int STEPS = 4;
    private final Engine engine;
    private final Stack stack;
    private final TrainingSteps steps;
    private final Recording recording;

    Step(Engine engine, Network network, int batch, UpdateRule rule) {
      this.engine = engine;
      int samples = 2 * batch + 1;
      stack = new Stack(engine, network);
      stack.write(Parameters.initialise(network, 1));
      Matrix data = HostEngines.random(engine, samples, network.inputs(), 1);
      Matrix x = engine.allocate("x", batch, network.inputs());
      Matrix y = engine.allocate("y", batch, network.outputs());
      steps = new TrainingSteps(engine, stack, rule, batch, STEPS);
      steps.begin(i -> rule.scalars(i + 1, 0.01, 0.1));
      Indices rows = engine.allocateIndices("rows", STEPS, batch, samples);
      engine.write(rows, IntStream.range(0, STEPS * batch).map(i -> 7 * i % samples).toArray());
      recording =
          engine.record(
              () -> {
                engine.gather(data, rows, steps.cursor(), x);
                steps.call(x, y);
              });
    }

    void run(int times) {
      for (int i = 0; i < times; i++) {
        if (steps.cursor().position() == STEPS) {
          steps.restart();
        }
        recording.run();
      }
    }

    List<float[]> results() {
      return List.of(
          HostEngines.read(engine, stack.theta()), HostEngines.read(engine, steps.losses()));
    }
  }

  private static final UpdateRule ADAM = new UpdateRule.Adam(0.9f, 0.999f, 1e-8f);

  private static Network network(Output output) {
    return new Network(40, List.of(150, 130), Activation.GELU, 3, output);
  }

  @ParameterizedTest
  @EnumSource
  void trainsToTheSameBitsOnAnyNumberOfThreads(Output output) {
    List<float[]> expected = null;
    for (int threads : new int[] {1, 2, 3, 5}) {
      try (Engine engine = HostEngines.open(threads)) {
        Step step = new Step(engine, network(output), 100, ADAM);
        step.run(12);
        List<float[]> actual = step.results();
        for (int i = 0; expected != null && i < actual.size(); i++) {
          assertArrayEquals(expected.get(i), actual.get(i));
        }
        expected = actual;
      }
    }
  }

  @Test
  void allocatesNothingInAStep() throws IOException {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    List<UpdateRule> rules = List.of(new UpdateRule.Sgd(), new UpdateRule.Momentum(0.9f), ADAM);
    for (UpdateRule rule : rules) {
      try (Engine engine = HostEngines.open(3)) {
        Step large = new Step(engine, network(Output.SOFTMAX), 100, rule);
        Step small =
            new Step(
                engine, new Network(3, List.of(), Activation.RELU, 1, Output.SIGMOID), 5, rule);
        Step oneUnit = // whose error is an outer product
            new Step(
                engine, new Network(3, List.of(100), Activation.RELU, 1, Output.SIGMOID), 5, rule);
        List.of(large, small, oneUnit).forEach(step -> step.run(100));
        Runnable steps =
            () -> {
              large.run(300);
              small.run(1000);
              oneUnit.run(1000);
            };
        long[] ids =
            Thread.getAllStackTraces().keySet().stream()
                .filter(HostEngineTest::computes)
                .mapToLong(HostEngineTest::id)
                .toArray();
        assertEquals(3, ids.length);
        // The least of some rounds: until the JIT compiler has done its work, vectors are objects;
        // but a step that allocates does so in every round, 16 bytes at least.
        long least = Long.MAX_VALUE;
        for (int round = 0; round < 100 && least >= 10_000; round++) {
          long before = sum(threads.getThreadAllocatedBytes(ids));
          steps.run();
          least = Math.min(least, sum(threads.getThreadAllocatedBytes(ids)) - before);
        }
        Set<String> kinds = least < 10_000 ? Set.of() : allocations(steps);
        // C2 before Java 21 leaves some vectors as objects for good, by chance: not our doing. But
        // those of a tile's loop stay in registers: a step would allocate fifty times as much.
        boolean excused =
            Runtime.version().feature() < 21
                && least < 300_000_000
                && !kinds.isEmpty()
                && kinds.stream().allMatch(kind -> kind.contains("jdk.incubator.vector."));
        assertTrue(
            least < 10_000 || excused, rule + ": " + least + " bytes in 1300 steps " + kinds);
      }
    }
  }

  static boolean computes(Thread thread) {
    return thread == Thread.currentThread() || thread.getName().startsWith("deltarule-host-");
  }

  /** What steps allocate: class, place, the line of ours that wanted it. Little is not seen. */
  private static Set<String> allocations(Runnable steps) throws IOException {
    Path file = Files.createTempFile("allocations", ".jfr");
    try (jdk.jfr.Recording recording = new jdk.jfr.Recording()) {
      recording.enable("jdk.ObjectAllocationInNewTLAB").withStackTrace();
      recording.enable("jdk.ObjectAllocationOutsideTLAB").withStackTrace();
      recording.start();
      IntStream.range(0, 20).forEach(round -> steps.run()); // its start undoes what was compiled
      Instant compiled = Instant.now();
      IntStream.range(0, 10).forEach(round -> steps.run());
      recording.stop();
      recording.dump(file);
      Set<String> kinds = new TreeSet<>();
      for (RecordedEvent event : RecordingFile.readAllEvents(file)) {
        List<String> stack =
            event.getStackTrace() == null || event.getStartTime().isBefore(compiled)
                ? List.of()
                : event.getStackTrace().getFrames().stream().map(HostEngineTest::place).toList();
        // Other threads, and what this test does around the steps, are not of interest.
        stack.stream()
            .filter(place -> place.startsWith("io.deltarule."))
            .findFirst()
            .filter(place -> !place.startsWith(HostEngineTest.class.getName()))
            .map(
                place -> event.getClass("objectClass").getName() + " " + stack.get(0) + " " + place)
            .ifPresent(kinds::add);
      }
      return kinds;
    } finally {
      Files.delete(file);
    }
  }

  private static String place(RecordedFrame frame) {
    return frame.getMethod().getType().getName() + ":" + frame.getLineNumber();
  }

  @SuppressWarnings("deprecation") // threadId() is there from Java 19 on
  static long id(Thread thread) {
    return thread.getId();
  }

  private static long sum(long[] values) {
    return IntStream.range(0, values.length).mapToLong(i -> values[i]).sum();
  }

  @ParameterizedTest
  @EnumSource
  void outputErrorIsStable(Output output) {
    float[] logits = {
      0, 0, 1e4f, -1e4f, -1e4f, 1e4f, 1e18f, -1e18f, 3, -2, Float.MIN_VALUE, 0, Float.NaN, 1
    };
    int m = logits.length / 2;
    float[] targets = new float[2 * m];
    for (int i = 0; i < m; i++) {
      targets[2 * i + i % 2] = 1;
    }
    try (Engine engine = HostEngines.open(2)) {
      Matrix d = engine.allocate("d", m, 2);
      Matrix losses = engine.allocate("losses", 2, 1);
      Matrix z = engine.allocate("z", m, 2);
      Matrix y = engine.allocate("y", m, 2);
      Cursor at = engine.allocateCursor("at");
      engine.write(z, logits);
      engine.write(y, targets);
      engine.outputError(output, z, y, d, losses, at);
      engine.set(at, 1);
      engine.outputError(output, z.top(m - 1), y.top(m - 1), d.top(m - 1), losses, at);
      float[] loss = HostEngines.read(engine, losses);
      assertTrue(Float.isNaN(loss[0]));
      double expected = 0;
      float[] error = HostEngines.read(engine, d);
      for (int i = 0; i < m - 1; i++) {
        double[] row = {logits[2 * i], logits[2 * i + 1]};
        double[] target = {targets[2 * i], targets[2 * i + 1]};
        expected += output.loss(row, target) / (m - 1);
        output.link(row);
        for (int j = 0; j < 2; j++) {
          assertEquals(
              (row[j] - target[j]) / (m - 1), error[2 * i + j], 1e-7 + Math.abs(row[j]) * 1e-7);
        }
      }
      assertEquals(expected, loss[1], 1e-6 * expected);
      engine.outputError(output, z.top(0), y.top(0), d.top(0), losses, at);
      assertEquals(0, HostEngines.read(engine, losses)[1]);
      engine.outputError(output, z, y, d, losses, at);
      assertTrue(Float.isNaN(HostEngines.read(engine, d)[2 * m - 2]));
    }
  }

  @Test
  void gradientsOfAnEmptyBatchAreZero() {
    try (Engine engine = HostEngines.open(2)) {
      Matrix dw = HostEngines.random(engine, 20, 30, 1);
      Matrix db = HostEngines.random(engine, 1, 20, 1);
      engine.gradients(engine.allocate("d", 0, 20), engine.allocate("a", 0, 30), dw, db);
      assertArrayEquals(new float[600], HostEngines.read(engine, dw));
      assertArrayEquals(new float[20], HostEngines.read(engine, db));
    }
  }

  @Test
  void updatesLongParametersInParts() {
    int p = 100_003;
    try (Engine engine = HostEngines.open(3)) {
      Matrix theta = HostEngines.random(engine, 1, p, 1);
      Matrix gradient = HostEngines.random(engine, 1, p, 2);
      Matrix state = engine.allocate("state", 2, p);
      Matrix schedule = engine.allocate("schedule", 1, UpdateRule.SCALARS);
      engine.write(schedule, ADAM.scalars(1, 0.1, 0.01));
      Cursor at = engine.allocateCursor("at");
      float[] before = HostEngines.read(engine, theta);
      float[] g = HostEngines.read(engine, gradient);
      engine.update(ADAM, theta, gradient, state, schedule, at);
      float[] after = HostEngines.read(engine, theta);
      float[] memory = HostEngines.read(engine, state);
      for (int i = 0; i < p; i++) {
        assertEquals(before[i] * 0.999 - 0.1 * g[i] / (Math.abs(g[i]) + 1e-8), after[i], 1e-5);
        assertEquals(0.1 * g[i], memory[i], 1e-6);
        assertEquals(0.001 * g[i] * g[i], memory[p + i], 1e-6);
      }
    }
  }

  /** An engine that stays open must not hold what a training has freed. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void closedMatricesAreGarbage(boolean plain) throws InterruptedException {
    Function<Workers, Kernels> kernels = plain ? PlainKernels::new : Vectorization::kernels;
    try (Engine engine = new HostEngine(2, kernels)) {
      List<WeakReference<float[]>> freed = callsOfEachKind(engine, 40, 50, 60);
      freed.addAll(callsOfEachKind(engine, 4, 1, 60));
      long start = System.nanoTime();
      while (freed.stream().anyMatch(array -> array.get() != null)) {
        assertTrue(System.nanoTime() - start < 10e9, "an array is still held");
        System.gc();
        Thread.sleep(1);
      }
    }
  }

  @SuppressWarnings("unchecked") // this engine's matrices
  private static List<WeakReference<float[]>> callsOfEachKind(Engine engine, int m, int n, int k) {
    Matrix x = engine.allocate("x", m, k);
    Matrix w = engine.allocate("w", n, k);
    Matrix b = engine.allocate("b", 1, n);
    Matrix saved = engine.allocate("saved", m, n);
    Matrix a = engine.allocate("a", m, n);
    Matrix d = engine.allocate("d", m, n);
    Matrix y = engine.allocate("y", m, n);
    Matrix e = engine.allocate("e", m, k);
    Matrix dw = engine.allocate("dw", n, k);
    Matrix db = engine.allocate("db", 1, n);
    Matrix theta = engine.allocate("theta", 1, 100);
    Matrix gradient = engine.allocate("gradient", 1, 100);
    Matrix state = engine.allocate("state", 2, 100);
    Matrix schedule = engine.allocate("schedule", 1, UpdateRule.SCALARS);
    Matrix losses = engine.allocate("losses", 1, 1);
    Cursor at = engine.allocateCursor("at");
    engine.forward(x, w, b, Activation.GELU, saved, a);
    engine.outputError(Output.LINEAR, a, y, d, losses, at);
    engine.propagate(d, w, Activation.RELU, x, e);
    engine.gradients(d, x, dw, db);
    engine.update(ADAM, theta, gradient, state, schedule, at);
    List<WeakReference<float[]>> arrays = new ArrayList<>();
    for (Matrix matrix :
        List.of(x, w, b, saved, a, d, y, e, dw, db, theta, gradient, state, schedule, losses)) {
      arrays.add(new WeakReference<>(((Operand<HostBlock>) matrix).block().floats()));
      matrix.close();
    }
    at.close();
    return arrays;
  }
}
