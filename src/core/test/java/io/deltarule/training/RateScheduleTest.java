package io.deltarule.training;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class RateScheduleTest {
  @Test
  void cosineFallsFromOneToZero() {
    assertEquals(1, RateSchedule.COSINE.factor(0));
    assertEquals(0.5, RateSchedule.COSINE.factor(0.5), 1e-15);
    assertEquals(0, RateSchedule.COSINE.factor(1), 1e-15);
    assertEquals(1, RateSchedule.CONSTANT.factor(0.7));
  }
}
