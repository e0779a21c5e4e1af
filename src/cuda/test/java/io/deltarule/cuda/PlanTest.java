package io.deltarule.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Cursor;
import io.deltarule.engine.Engine;
import io.deltarule.engine.Indices;
import io.deltarule.engine.Matrix;
import io.deltarule.engine.Output;
import io.deltarule.engine.Precision;
import io.deltarule.engine.Recording;
import io.deltarule.engine.UpdateRule;
import io.deltarule.network.Network;
import io.deltarule.network.Parameters;
import io.deltarule.training.Stack;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What a recorded training step launches. */
@ExtendWith(FakeCard.class)
class PlanTest {
  private static final int BATCH = 9;
  private static final int STEPS = 4;

  /**
   * The plans, by what leads to them.
   *
   * @param multiprocessors of the card
   */
  enum Case {
    ONE_KERNEL(Products.Rule.DEFAULT, 10),
    OWN_KERNELS(Products.Rule.DEFAULT, 1),
    CUBLAS(FakeCard.NONE_SMALL, 10);

    private final Products.Rule rule;
    private final int multiprocessors;

    Case(Products.Rule rule, int multiprocessors) {
      this.rule = rule;
      this.multiprocessors = multiprocessors;
    }

    Engine open(Precision precision) {
      FakeDriver.configure(1, 80, 12060, 1L << 32, multiprocessors);
      return FakeCard.open(precision, true, rule);
    }
  }

  @Test
  void aStepOfVerySmallLayersIsOneLaunch() {
    assertEquals(List.of(1, 0), launches(Case.ONE_KERNEL));
  }

  @Test
  void aStepOfSmallLayersIsLaunchesOfOwnKernels() {
    // 2 gathers, 3 forward, 1 error, 2 propagations, 3 weight and 3 bias gradients, 1 update, 1
    // cursor.
    assertEquals(List.of(0, 16), launches(Case.OWN_KERNELS));
  }

  @Test
  void aStepOfOtherLayersIsWhatSurroundsTheProducts() {
    // 2 gathers, 3 forward, 1 error, 2 masks with sums, 1 sum, 1 update, 1 cursor.
    assertEquals(List.of(0, 11), launches(Case.CUBLAS));
  }

  static Stream<Arguments> recordings() {
    return Stream.of(Case.values())
        .flatMap(
            plan ->
                Stream.of(Precision.FP32, Precision.BF16)
                    .flatMap(
                        precision ->
                            Stream.of(FakeDriver.Schedule.values())
                                .map(schedule -> Arguments.of(plan, precision, schedule))));
  }

  /** Whatever runs first of what may run at the same time. */
  @ParameterizedTest
  @MethodSource("recordings")
  void aRecordedStepHasTheBitsOfItsCalls(
      Case plan, Precision precision, FakeDriver.Schedule schedule) {
    FakeDriver.schedule(schedule);
    try (Engine engine = plan.open(precision);
        Step step = new Step(engine, new UpdateRule.Momentum(0.9f))) {
      float[] called = step.parametersAfter(step::call);
      try (Recording recording = engine.record(step::call)) {
        assertArrayEquals(called, step.parametersAfter(recording::run));
      }
    }
  }

  /** The cooperative and the other launches of a step as the trainer records it. */
  private static List<Integer> launches(Case plan) {
    try (Engine engine = plan.open(Precision.FP32);
        Step step = new Step(engine, new UpdateRule.Sgd())) {
      int cooperative = count("cuLaunchCooperativeKernel");
      int single = count("cuLaunchKernel");
      engine.record(step::call).close();
      return List.of(
          count("cuLaunchCooperativeKernel") - cooperative, count("cuLaunchKernel") - single);
    }
  }

  private static int count(String call) {
    return FakeDriver.callCounts().getOrDefault(call, 0);
  }

  /** A training step of 3-5-4-1. The widths leave gaps among the parameters. */
  private static final class Step implements AutoCloseable {
    private final Network network =
        new Network(3, List.of(5, 4), Activation.RELU, 1, Output.SIGMOID);
    private final Engine engine;
    private final UpdateRule rule;
    private final Stack stack;
    private final Matrix features;
    private final Matrix targets;
    private final Indices rows;
    private final Matrix x;
    private final Matrix y;
    private final Matrix losses;
    private final Matrix schedule;
    private final Matrix state;
    private final Cursor cursor;
    private final Stack.Pass pass;

    Step(Engine engine, UpdateRule rule) {
      this.engine = engine;
      this.rule = rule;
      stack = new Stack(engine, network);
      features = engine.allocate("features", BATCH, 3);
      targets = engine.allocate("targets", BATCH, 1);
      rows = engine.allocateIndices("rows", STEPS, BATCH, BATCH);
      x = engine.allocate("x", BATCH, 3);
      y = engine.allocate("y", BATCH, 1);
      losses = engine.allocate("losses", STEPS, 1);
      schedule = engine.allocate("schedule", STEPS, UpdateRule.SCALARS);
      state = engine.allocate("state", rule.stateRows(), stack.theta().columns());
      cursor = engine.allocateCursor("step");
      pass = stack.pass(BATCH).forTraining();
      Random random = new Random(1);
      engine.write(features, normal(random, 3 * BATCH));
      engine.write(targets, normal(random, BATCH));
      engine.write(rows, random.ints((long) STEPS * BATCH, 0, BATCH).toArray());
      float[] scalars = new float[STEPS * UpdateRule.SCALARS];
      for (int step = 0; step < STEPS; step++) {
        float[] row = rule.scalars(step + 1, 0.1, 0.01);
        System.arraycopy(row, 0, scalars, step * row.length, row.length);
      }
      engine.write(schedule, scalars);
    }

    private static float[] normal(Random random, int size) {
      float[] values = new float[size];
      for (int i = 0; i < size; i++) {
        values[i] = (float) random.nextGaussian();
      }
      return values;
    }

    void call() {
      engine.gather(features, rows, cursor, x);
      engine.gather(targets, rows, cursor, y);
      pass.forward(x);
      pass.backward(x, y, losses, cursor);
      engine.update(rule, stack.theta(), stack.gradient(), state, schedule, cursor);
      engine.advance(cursor);
    }

    /** Theta after some steps from the same start. */
    float[] parametersAfter(Runnable step) {
      stack.write(Parameters.initialise(network, 1));
      engine.write(state, new float[state.rows() * state.columns()]);
      engine.set(cursor, 0);
      for (int i = 0; i < STEPS; i++) {
        step.run();
      }
      float[] theta = new float[stack.theta().columns()];
      engine.read(stack.theta(), theta);
      return theta;
    }

    @Override
    public void close() {
      List.of(cursor, state, schedule, losses, y, x, rows, targets, features, stack)
          .forEach(Step::close);
    }

    private static void close(AutoCloseable resource) {
      try {
        resource.close();
      } catch (Exception e) {
        throw new AssertionError(e);
      }
    }
  }
}
