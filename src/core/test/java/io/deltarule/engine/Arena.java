package io.deltarule.engine;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The operands of one call. Unless each has a matrix of its own, each is a slice of a larger one
 * with guards on both sides: NaN around inputs, so that a stray read shows, and a known number
 * around results, so that a stray write does. Results start as NaN: what is not written, or is
 * added to, shows too.
 */
final class Arena implements AutoCloseable {

  /** Where operands lie. */
  enum Placement {
    /** Each in a matrix of its own. */
    OWN,
    /** At a multiple of {@link Engine#ALIGNMENT} of a larger matrix. */
    ALIGNED,
    /** At an odd offset, another one for each. */
    ODD
  }

  private static final float GUARD = -123.25f;
  private static final int GUARDS_AFTER = 67;

  private record Place(
      String name, Matrix block, Matrix matrix, float[] before, int offset, boolean result) {}

  private final Engine engine;
  private final Placement placement;
  private final List<Place> places = new ArrayList<>();

  Arena(Engine engine, Placement placement) {
    this.engine = engine;
    this.placement = placement;
  }

  Matrix input(String name, float[] values, int rows, int columns) {
    return place(name, values, rows, columns, false);
  }

  Matrix result(String name, int rows, int columns) {
    float[] values = new float[rows * columns];
    Arrays.fill(values, Float.NaN);
    return place(name, values, rows, columns, true);
  }

  /** An operand that is read and changed. */
  Matrix changed(String name, float[] values, int rows, int columns) {
    return place(name, values, rows, columns, true);
  }

  private Matrix place(String name, float[] values, int rows, int columns, boolean result) {
    int offset =
        switch (placement) {
          case OWN -> 0;
          case ALIGNED -> Engine.ALIGNMENT * (1 + places.size() % 2);
          case ODD -> 1 + 2 * places.size();
        };
    int after = placement == Placement.OWN ? 0 : GUARDS_AFTER;
    float[] before = new float[offset + values.length + after];
    Arrays.fill(before, result ? GUARD : Float.NaN);
    System.arraycopy(values, 0, before, offset, values.length);
    Matrix block;
    Matrix matrix;
    if (placement == Placement.OWN) {
      block = engine.allocate(name, rows, columns);
      matrix = block;
    } else {
      block = engine.allocate(name, 1, before.length);
      matrix = block.slice(offset, rows, columns);
    }
    engine.write(block, before);
    places.add(new Place(name, block, matrix, before, offset, result));
    return matrix;
  }

  float[] read(Matrix matrix) {
    float[] values = new float[(int) matrix.size()];
    engine.read(matrix, values);
    return values;
  }

  /** Asserts that nothing has changed but the results. */
  void assertGuards(String what) {
    for (Place place : places) {
      float[] expected = place.before.clone();
      float[] actual = read(place.block);
      if (place.result) {
        int size = (int) place.matrix.size();
        System.arraycopy(actual, place.offset, expected, place.offset, size);
      }
      Matrices.assertSame(what + ": around or in " + place.name, expected, actual);
    }
  }

  /** Asserts that nothing has changed at all. */
  void assertUnchanged(String what) {
    for (Place place : places) {
      Matrices.assertSame(what + ": " + place.name, place.before, read(place.block));
    }
  }

  @Override
  public void close() {
    places.forEach(place -> place.block.close());
  }
}
