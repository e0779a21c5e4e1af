package io.deltarule.engine.spi;

import io.deltarule.engine.Recording;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Recorded launches, and what must hold before they may run again. Replaying allocates nothing. */
final class Tape<B extends Block> implements Recording {

  /** How far a cursor moves in one replay, and below which position it must start. */
  private static final class Travel {
    int advances;
    long startBelow = Long.MAX_VALUE;
    String limitedBy = "";
  }

  private final AbstractEngine<B> engine;
  private final List<Runnable> launches = new ArrayList<>();
  private final Set<Allocation<?>> allocations = new LinkedHashSet<>();
  private final Map<StepCursor<B>, Travel> cursors = new LinkedHashMap<>();
  private Replay replay;
  private Allocation<?>[] used;
  private StepCursor<B>[] moved;
  private Travel[] travels;
  private boolean closed;

  Tape(AbstractEngine<B> engine) {
    this.engine = engine;
  }

  void add(List<Allocation<?>> operands, Runnable launch) {
    launches.add(launch);
    allocations.addAll(operands);
  }

  void advance(StepCursor<B> cursor) {
    limit(cursor, Integer.MAX_VALUE, "the largest position");
    travel(cursor).advances++;
  }

  /** Demands that at this point of a replay the cursor stands below so many rows. */
  void limit(StepCursor<B> cursor, int rows, String what) {
    Travel travel = travel(cursor);
    if (rows - travel.advances < travel.startBelow) {
      travel.startBelow = rows - travel.advances;
      travel.limitedBy = what;
    }
  }

  private Travel travel(StepCursor<B> cursor) {
    return cursors.computeIfAbsent(cursor, c -> new Travel());
  }

  @Override
  public void run(int times) {
    if (times < 1) {
      throw new IllegalArgumentException("run: " + times + " times; at least 1 is needed");
    }
    if (closed) {
      throw new IllegalStateException("run: the recording is closed");
    }
    engine.requireIdle("run");
    for (Allocation<?> allocation : used) {
      if (allocation.closed()) {
        throw new IllegalArgumentException("run: " + allocation.name() + " is closed");
      }
    }
    for (int i = 0; i < moved.length; i++) {
      if (moved[i].position() + (times - 1L) * travels[i].advances >= travels[i].startBelow) {
        throw new IllegalArgumentException(
            "run: the cursor %s stands past the end (%s)%s"
                .formatted(
                    moved[i],
                    travels[i].limitedBy,
                    times == 1 ? "" : ", or would before the last of " + times + " times"));
      }
    }
    replay.run(times);
    for (int i = 0; i < moved.length; i++) {
      moved[i].move(moved[i].position() + times * travels[i].advances);
    }
  }

  @SuppressWarnings({
    "unchecked",
    "rawtypes"
  }) // an array of a generic type, filled with its elements
  void compile(List<Operand<B>> scratch) {
    replay = engine.compile(launches, scratch);
    used = allocations.toArray(Allocation<?>[]::new);
    moved = cursors.keySet().toArray(new StepCursor[0]);
    travels = cursors.values().toArray(Travel[]::new);
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      launches.clear();
      replay.close();
    }
  }
}
