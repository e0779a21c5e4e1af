package io.deltarule.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.deltarule.engine.UpdateRule.Adam;
import io.deltarule.engine.UpdateRule.Momentum;
import io.deltarule.engine.UpdateRule.Sgd;
import org.junit.jupiter.api.Test;

class UpdateRuleTest {

  @Test
  void scheduleRows() {
    assertArrayEquals(new float[] {0.5f, 0.05f, 1, 1}, new Sgd().scalars(3, 0.5, 0.1));
    assertArrayEquals(new float[] {0.5f, 0, 1, 1}, new Momentum(0.9f).scalars(3, 0.5, 0));
    // 1 / (1 - 1/2), 1 / (1 - 1/4); then 1 / (1 - 1/4), 1 / (1 - 1/16)
    Adam adam = new Adam(0.5f, 0.25f, 1e-8f);
    assertArrayEquals(new float[] {1, 0.5f, 2, 4 / 3f}, adam.scalars(1, 1, 0.5));
    assertArrayEquals(new float[] {1, 0.5f, 4 / 3f, 16 / 15f}, adam.scalars(2, 1, 0.5));
    assertArrayEquals(new float[] {1, 0, 1, 1}, adam.scalars(100_000_000_000L, 1, 0));
  }

  @Test
  void memory() {
    assertEquals(0, new Sgd().stateRows());
    assertEquals(1, new Momentum(0).stateRows());
    assertEquals(2, new Adam(0, 0, 1).stateRows());
  }

  @Test
  void rangesAreChecked() {
    for (float wrong : new float[] {-0.1f, 1, 2, Float.NaN}) {
      assertThrows(IllegalArgumentException.class, () -> new Momentum(wrong));
      assertThrows(IllegalArgumentException.class, () -> new Adam(wrong, 0, 1));
      assertThrows(IllegalArgumentException.class, () -> new Adam(0, wrong, 1));
    }
    for (float wrong : new float[] {0, -1, Float.NaN}) {
      assertThrows(IllegalArgumentException.class, () -> new Adam(0, 0, wrong));
    }
  }
}
