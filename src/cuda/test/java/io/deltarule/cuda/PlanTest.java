package io.deltarule.cuda;

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
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What a recorded training step launches. */
@ExtendWith(FakeCard.class)
class PlanTest {
  private static final int BATCH = 9;

  @Test
  void aStepOfSmallLayersIsOneLaunch() {
    assertEquals(List.of(1, 0), launches(Products.Rule.DEFAULT));
  }

  @Test
  void aStepOfOtherLayersIsSingleLaunches() {
    // 2 gathers, 3 forward, 1 error, 2 masks with sums, 1 sum, 1 update, 1 cursor.
    assertEquals(List.of(0, 11), launches(FakeCard.NONE_SMALL));
  }

  /** The cooperative and the other launches of a step as the trainer records it. */
  private static List<Integer> launches(Products.Rule rule) {
    // The widths are no multiples of the alignment: there are gaps among the parameters.
    Network network = new Network(3, List.of(5, 4), Activation.RELU, 1, Output.SIGMOID);
    UpdateRule update = new UpdateRule.Sgd();
    try (Engine engine = FakeCard.open(Precision.FP32, true, rule);
        Stack stack = new Stack(engine, network);
        Matrix features = engine.allocate("features", BATCH, 3);
        Matrix targets = engine.allocate("targets", BATCH, 1);
        Indices rows = engine.allocateIndices("rows", 1, BATCH, BATCH);
        Matrix x = engine.allocate("x", BATCH, 3);
        Matrix y = engine.allocate("y", BATCH, 1);
        Matrix losses = engine.allocate("losses", 1, 1);
        Matrix schedule = engine.allocate("schedule", 1, UpdateRule.SCALARS);
        Matrix state = engine.allocate("state", 0, stack.theta().columns());
        Cursor cursor = engine.allocateCursor("step")) {
      stack.write(Parameters.initialise(network, 1));
      Stack.Pass pass = stack.pass(BATCH).forTraining();
      int cooperative = count("cuLaunchCooperativeKernel");
      int single = count("cuLaunchKernel");
      Recording step =
          engine.record(
              () -> {
                engine.gather(features, rows, cursor, x);
                engine.gather(targets, rows, cursor, y);
                pass.forward(x);
                pass.backward(x, y, losses, cursor);
                engine.update(update, stack.theta(), stack.gradient(), state, schedule, cursor);
                engine.advance(cursor);
              });
      step.close();
      return List.of(
          count("cuLaunchCooperativeKernel") - cooperative, count("cuLaunchKernel") - single);
    }
  }

  private static int count(String call) {
    return FakeDriver.callCounts().getOrDefault(call, 0);
  }
}
