package io.deltarule.training;

import io.deltarule.engine.Cursor;
import io.deltarule.engine.Engine;
import io.deltarule.engine.Matrix;
import io.deltarule.engine.UpdateRule;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;

/**
 * The training steps of an epoch, as calls of an engine: forward, output error, backward, update.
 * Owns what they need beside the stack's parameters and a batch.
 */
public final class TrainingSteps implements AutoCloseable {
  private final Engine engine;
  private final Stack stack;
  private final UpdateRule rule;
  private final Resources resources = new Resources();
  private final Matrix state; // of the optimizer, zeros at first
  private final Matrix schedule; // [steps x UpdateRule.SCALARS]
  private final Matrix losses; // [steps x 1]
  private final Cursor cursor; // the step within the epoch
  private final Stack.Pass pass;

  /**
   * Allocates what they need.
   *
   * @param engine that computes
   * @param stack on this engine, whose parameters they update; it owns the activations and the
   *     gradients
   * @param rule of the update
   * @param batch rows of a batch at most
   * @param count steps of an epoch, at least 1
   */
  public TrainingSteps(Engine engine, Stack stack, UpdateRule rule, int batch, int count) {
    this.engine = engine;
    this.stack = stack;
    this.rule = rule;
    int parameters = stack.theta().columns();
    try {
      state = resources.own(engine.allocate("optimizer state", rule.stateRows(), parameters));
      schedule = resources.own(engine.allocate("schedule", count, UpdateRule.SCALARS));
      losses = resources.own(engine.allocate("losses", count, 1));
      cursor = resources.own(engine.allocateCursor("step"));
      pass = stack.pass(batch).forTraining();
    } catch (RuntimeException | Error e) {
      resources.closeAfter(e);
      throw e;
    }
  }

  /**
   * How many an epoch has.
   *
   * @return at least 1
   */
  public int count() {
    return schedule.rows();
  }

  /**
   * The number of the next step; each moves it on.
   *
   * @return from 0, before the first, to {@link #count}
   */
  public Cursor cursor() {
    return cursor;
  }

  /**
   * The matrices of a batch on its way.
   *
   * @return for the most rows
   */
  public Stack.Pass pass() {
    return pass;
  }

  /**
   * The state of the optimizer.
   *
   * @return [{@link UpdateRule#stateRows} x block size of the stack]
   */
  public Matrix state() {
    return state;
  }

  /**
   * Begins an epoch.
   *
   * @param scalars gives those of a step from its number, see {@link UpdateRule#scalars}
   */
  public void begin(IntFunction<float[]> scalars) {
    float[] rows = new float[count() * UpdateRule.SCALARS];
    for (int i = 0; i < count(); i++) {
      float[] row = scalars.apply(i);
      System.arraycopy(row, 0, rows, i * row.length, row.length);
    }
    engine.write(schedule, rows);
    restart();
  }

  /** Begins an epoch with the scalars of the one before it. */
  public void restart() {
    engine.set(cursor, 0);
  }

  /**
   * Calls a step: to be recorded, or to be computed at once.
   *
   * @param x the batch [m x inputs], m at most the rows of the pass
   * @param y its targets [m x outputs]
   */
  public void call(Matrix x, Matrix y) {
    Stack.Pass through = pass.top(x.rows());
    through.forward(x);
    through.backward(x, y, losses, cursor);
    update();
    engine.advance(cursor);
  }

  /** Calls the last part of a step, which leaves its number as it is. */
  public void update() {
    engine.update(rule, stack.theta(), stack.gradient(), state, schedule, cursor);
  }

  /**
   * Where the steps leave their losses.
   *
   * @return [count x 1]
   */
  public Matrix losses() {
    return losses;
  }

  /**
   * Reads the losses, after all steps so far.
   *
   * @return of the epoch's steps, those before the cursor
   */
  public float[] readLosses() {
    float[] values = new float[count()];
    engine.read(losses, values);
    return Arrays.copyOf(values, cursor.position());
  }

  /**
   * What only the steps themselves look at.
   *
   * @param others that are so as well
   * @return see {@link Stack.Pass#scratch}
   */
  public List<Matrix> scratch(Matrix... others) {
    return pass.scratch(others);
  }

  /** Frees everything but the stack's. */
  @Override
  public void close() {
    resources.close();
  }
}
