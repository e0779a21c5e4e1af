package io.deltarule.training;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.deltarule.engine.Output;
import io.deltarule.random.Philox;
import org.junit.jupiter.api.Test;

class MetricsTest {

  private static Samples targets(int outputs, float... values) {
    int rows = values.length / outputs;
    return new Samples(rows, 0, new float[0], outputs, values);
  }

  @Test
  void aucIsTheShareOfPairsInOrder() {
    Philox random = new Philox(1, Philox.Purpose.DATA, 0);
    float[] scores = new float[97];
    float[] labels = new float[97];
    for (int i = 0; i < 97; i++) {
      labels[i] = random.nextInt(2);
      scores[i] = random.nextInt(12); // many ties
    }
    double pairs = 0;
    double ordered = 0;
    for (int i = 0; i < 97; i++) {
      for (int j = 0; j < 97; j++) {
        if (labels[i] > labels[j]) {
          pairs++;
          ordered += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0;
        }
      }
    }
    Metrics metrics = Metrics.of(Output.SIGMOID, scores, targets(1, labels));
    assertEquals(ordered / pairs, metrics.auc().orElseThrow(), 1e-12);
  }

  @Test
  void oneClassHasNoAuc() {
    Metrics metrics = Metrics.of(Output.SIGMOID, new float[] {1, -1}, targets(1, 1, 1));
    assertTrue(metrics.auc().isEmpty());
    assertEquals(0.5, metrics.accuracy().orElseThrow());
  }

  @Test
  void nanIsNeverCorrect() {
    float nan = Float.NaN;
    Metrics sigmoid = Metrics.of(Output.SIGMOID, new float[] {nan, nan}, targets(1, 0, 1));
    assertEquals(0, sigmoid.accuracy().orElseThrow());
    assertTrue(Double.isNaN(sigmoid.auc().orElseThrow()));
    assertTrue(Double.isNaN(sigmoid.loss()));
    Metrics softmax = Metrics.of(Output.SOFTMAX, new float[] {1, nan}, targets(2, 1, 0));
    assertEquals(0, softmax.accuracy().orElseThrow());
  }

  @Test
  void linearErrors() {
    Metrics metrics = Metrics.of(Output.LINEAR, new float[] {1, 2, 4}, targets(1, 1, 2, 3));
    assertEquals(1.0 / 6, metrics.loss(), 1e-12);
    assertEquals(Math.sqrt(1.0 / 3), metrics.rmse().orElseThrow(), 1e-12);
    assertEquals(0.5, metrics.r2().orElseThrow(), 1e-12);
    assertTrue(metrics.accuracy().isEmpty());
  }
}
