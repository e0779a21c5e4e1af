package io.deltarule.opencl;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Cursor;
import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineException;
import io.deltarule.engine.EngineMemoryException;
import io.deltarule.engine.Matrix;
import io.deltarule.engine.Output;
import io.deltarule.engine.Recording;
import io.deltarule.engine.UpdateRule;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Nothing leaks, whatever fails. */
class ResourcesTest {
  private static final int STEPS = 10_000;

  @BeforeEach
  void nothingLives() {
    TestDevice.require();
    assertEquals(0, Cl.live());
  }

  @AfterEach
  void nothingLivesAnyMore() {
    Cl.failAfter(-1);
    assertEquals(0, Cl.live());
  }

  /** A network of one layer, its step recorded: x, w, b, z, y, d, dw, db, losses, at. */
  private static void train(Engine engine, int steps, boolean close) {
    Matrix x = engine.allocate("x", 5, 3);
    Matrix y = engine.allocate("y", 5, 1);
    Matrix theta = engine.allocate("theta", 1, 4);
    Matrix gradient = engine.allocate("gradient", 1, 4);
    Matrix state = engine.allocate("state", 2, 4);
    Matrix schedule = engine.allocate("schedule", steps, UpdateRule.SCALARS);
    Matrix z = engine.allocate("z", 5, 1);
    Matrix d = engine.allocate("d", 5, 1);
    Matrix losses = engine.allocate("losses", steps, 1);
    Cursor at = engine.allocateCursor("at");
    UpdateRule rule = new UpdateRule.Adam(0.9f, 0.999f, 1e-8f);
    float[] scalars = new float[4 * steps];
    for (int i = 0; i < steps; i++) {
      System.arraycopy(rule.scalars(i + 1, 0.05, 0), 0, scalars, 4 * i, 4);
    }
    engine.write(schedule, scalars);
    engine.write(x, new float[] {1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 0, 1, 1, 1});
    engine.write(y, new float[] {1, 0, 1, 1, 1});
    Recording step =
        engine.record(
            () -> {
              Matrix w = theta.slice(0, 1, 3);
              Matrix b = theta.slice(3, 1, 1);
              engine.forward(x, w, b, Activation.IDENTITY, z, z);
              engine.outputError(Output.SIGMOID, z, y, d, losses, at);
              engine.gradients(d, x, gradient.slice(0, 1, 3), gradient.slice(3, 1, 1));
              engine.update(rule, theta, gradient, state, schedule, at);
              engine.advance(at);
            });
    for (int i = 0; i < steps; i++) {
      step.run();
    }
    float[] values = new float[steps];
    engine.read(losses, values);
    assertTrue(values[steps - 1] < values[0], values[0] + " to " + values[steps - 1]);
    if (close) {
      step.close();
    }
  }

  @Test
  void tenThousandStepsLeaveNothing() {
    try (OpenClEngine engine = TestDevice.open()) {
      train(engine, STEPS, true);
      int live = Cl.live();
      train(engine, 10, true);
      assertTrue(Cl.live() <= live + 20, "only matrices stay: " + live + ", then " + Cl.live());
    }
  }

  @Test
  void closingAnEngineClosesItsRecordings() {
    try (OpenClEngine engine = TestDevice.open()) {
      train(engine, 3, false);
    }
  }

  @Test
  void whateverCreationFailsNothingLeaks() {
    boolean failed = true;
    for (int creations = 0; failed; creations++) {
      Cl.failAfter(creations);
      try (OpenClEngine engine = TestDevice.open()) {
        try {
          train(engine, 3, true);
        } catch (EngineException e) {
          assertTrue(e.getMessage().contains("CL_MEM_OBJECT_ALLOCATION_FAILURE"), e.getMessage());
          train(engine, 3, true); // usable as before
        }
      } catch (EngineException e) {
        assertTrue(e.getMessage().contains("clCreate"), e.getMessage());
      }
      assertEquals(0, Cl.live(), "after a failure of creation " + creations);
      failed = Cl.failed();
      assertTrue(creations < 1000);
    }
  }

  @Test
  void anErrorWhileOpeningLeaksNothing() {
    boolean failed = true;
    for (int creations = 0; failed; creations++) {
      Error error = new OutOfMemoryError("planted");
      Cl.failAfter(creations, error);
      try (OpenClEngine engine = TestDevice.open()) {
        assertEquals("opencl", engine.description().engine());
      } catch (OutOfMemoryError e) {
        assertSame(error, e);
      }
      assertEquals(0, Cl.live(), "after an error in creation " + creations);
      failed = Cl.failed();
      assertTrue(creations < 1000);
    }
  }

  @Test
  void exhaustedMemoryIsSaidAndTheEngineGoesOn() {
    try (OpenClEngine engine = TestDevice.open()) {
      Matrix kept = engine.allocate("kept", 1000, 1000);
      int columns = 1 << 20;
      int rows = (int) (TestDevice.require().allocationBytes() / 4 / columns) + 1;
      for (int i = 0; i < 3; i++) {
        String message =
            assertThrows(EngineMemoryException.class, () -> engine.allocate("huge", rows, columns))
                .getMessage();
        assertTrue(message.contains("huge"), message);
        assertTrue(message.contains(4L * rows * columns + " bytes"), message);
        assertTrue(message.contains(TestDevice.require().globalBytes() + " bytes"), message);
        assertTrue(message.contains("kept 4000000 bytes"), message);
        assertEquals(1, message.lines().count(), message);
      }
      assertEquals(4_000_000, engine.allocatedBytes());
      float[] values = new float[1_000_000];
      values[999_999] = 1;
      engine.write(kept, values);
      float[] read = new float[1_000_000];
      engine.read(kept, read);
      assertArrayEquals(values, read);
      train(engine, 20, true);
    }
  }

  @Test
  void memoryIsNeverPromisedTwice() {
    Device device = TestDevice.require().limited(64, 16 << 10, 1 << 20, 1 << 20);
    try (OpenClEngine engine =
        new OpenClEngine(device, Tuning.standard(device), TestDevice.CACHE)) {
      Matrix half = engine.allocate("half", 1, 150_000);
      assertThrows(EngineMemoryException.class, () -> engine.allocate("more", 1, 150_000));
      half.close();
      engine.allocate("instead", 1, 150_000);
    }
  }

  @Test
  void aTileThatTheDeviceCannotRunIsDoneWithout() {
    Device device = TestDevice.require().asGpu(1);
    Tile tooMany = new Tile(1024, 128, 1, 1, 1, 1, false, false);
    Tuning tuning = new Tuning(List.of(tooMany, TestDevice.GPU_TUNING.tiles().get(1)));
    int n = 1024;
    try (Engine engine = new OpenClEngine(device, tuning, TestDevice.CACHE)) {
      Matrix x = engine.allocate("x", n, 1);
      Matrix y = engine.allocate("y", 2 * n, 1);
      Matrix a = engine.allocate("a", n, 2 * n);
      float[] ones = new float[2 * n];
      Arrays.fill(ones, 1);
      engine.write(y, ones);
      engine.write(x, Arrays.copyOf(ones, n));
      Matrix b = engine.allocate("b", 1, 2 * n);
      engine.forward(x, y, b, Activation.IDENTITY, a, a);
      float[] read = new float[2 * n];
      engine.read(a.slice((n - 1L) * 2 * n, 1, 2 * n), read);
      assertArrayEquals(ones, read);
    }
  }

  @Test
  void writesOfAnySizeArrive() {
    try (OpenClEngine engine = TestDevice.open()) {
      for (int size : new int[] {1, 262_143, 262_144, 262_145, 1_500_000}) {
        Matrix matrix = engine.allocate("matrix", 1, size);
        float[] values = new float[size];
        for (int round = 0; round < 3; round++) {
          for (int i = 0; i < size; i++) {
            values[i] = i + round;
          }
          engine.write(matrix, values);
          Arrays.fill(values, -1);
        }
        engine.read(matrix, values);
        for (int i = 0; i < size; i++) {
          assertEquals(i + 2f, values[i]);
        }
        matrix.close();
      }
    }
  }

  @Test
  void aFailedBuildShowsTheLog() {
    Device device = TestDevice.require();
    String message =
        assertThrows(
                EngineException.class,
                () ->
                    new OpenClEngine(
                        device,
                        Tuning.standard(device),
                        CacheFolder.none(),
                        " -DPLANT_OOB=nonsense"))
            .getMessage();
    assertTrue(message.contains("CL_BUILD_PROGRAM_FAILURE"), message);
    assertTrue(message.contains("nonsense"), message);
  }
}
