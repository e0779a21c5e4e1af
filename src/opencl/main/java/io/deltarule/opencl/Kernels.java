package io.deltarule.opencl;

import java.util.ArrayList;
import java.util.List;
import org.jocl.cl_program;

/** The kernels of an engine, built for its device. Owns programs and kernels. */
final class Kernels {
  private static final int MOST_ITEMS = 128;
  private static final int MOST_COLUMNS = 16;

  /** The three products with one tile. */
  record Products(Tile tile, Kernel forward, Kernel propagate, Kernel gradient) {

    /** Groups along a result's columns. */
    long across(int columns) {
      return ceil(columns, tile.columns());
    }

    /** Groups along a result's rows. */
    long down(int rows) {
      return ceil(rows, tile.rows());
    }
  }

  private final Device device;
  private final Programs programs;
  private final String extraOptions;
  private final List<cl_program> ownedPrograms = new ArrayList<>();
  private final List<Kernel> owned = new ArrayList<>();
  private final int items; // of a group, a power of two
  private final int columns; // that a group of column_sums adds
  private Products large;
  private Products small;
  private Kernel outputErrorSigmoid;
  private Kernel outputErrorSoftmax;
  private Kernel outputErrorLinear;
  private Kernel sumLosses;
  private Kernel columnSums;
  private Kernel updateSgd;
  private Kernel updateMomentum;
  private Kernel updateAdam;
  private Kernel gather;
  private Kernel cursorSet;
  private Kernel cursorAdvance;

  /**
   * Builds all kernels.
   *
   * @param extraOptions for the compiler, such as planted faults; mostly empty
   */
  Kernels(Device device, Programs programs, Tuning tuning, String extraOptions) {
    this.device = device;
    this.programs = programs;
    this.extraOptions = extraOptions;
    items = Integer.highestOneBit((int) Math.min(MOST_ITEMS, device.groupItems()));
    columns = Math.min(MOST_COLUMNS, items);
    try {
      buildRest();
      large = products(tuning.large());
      small = tuning.small().equals(tuning.large()) ? large : products(tuning.small());
    } catch (RuntimeException e) {
      release();
      throw e;
    }
  }

  private void buildRest() {
    cl_program program =
        program(
            "-DWG=" + items + " -DCX=" + columns,
            "output_error.cl",
            "column_sums.cl",
            "update.cl",
            "gather.cl",
            "cursor.cl");
    outputErrorSigmoid = kernel(program, "output_error_sigmoid", items, 1);
    outputErrorSoftmax = kernel(program, "output_error_softmax", items, 1);
    outputErrorLinear = kernel(program, "output_error_linear", items, 1);
    sumLosses = kernel(program, "sum_losses", items, 1);
    columnSums = kernel(program, "column_sums", columns, items / columns);
    updateSgd = kernel(program, "update_sgd", items, 1);
    updateMomentum = kernel(program, "update_momentum", items, 1);
    updateAdam = kernel(program, "update_adam", items, 1);
    gather = kernel(program, "gather", items, 1);
    cursorSet = kernel(program, "cursor_set", 1, 1);
    cursorAdvance = kernel(program, "cursor_advance", 1, 1);
  }

  /** Builds the products with a tile. */
  private Products products(Tile tile) {
    cl_program program = program(tile.options(), "gemm.cl");
    return new Products(
        tile,
        kernel(program, "gemm_forward", tile.gx(), tile.gy()),
        kernel(program, "gemm_propagate", tile.gx(), tile.gy()),
        kernel(program, "gemm_gradient", tile.gx(), tile.gy()));
  }

  private cl_program program(String macros, String... files) {
    String options = extraOptions.isEmpty() ? macros : macros + " " + extraOptions;
    cl_program program = programs.build(Sources.of(files), options);
    ownedPrograms.add(program);
    return program;
  }

  private Kernel kernel(cl_program program, String name, int itemsX, int itemsY) {
    Kernel kernel = Kernel.create(device, program, name, itemsX, itemsY);
    owned.add(kernel);
    return kernel;
  }

  static long ceil(long n, long size) {
    return (n + size - 1) / size;
  }

  /**
   * The products for a result of this shape: with the large tile if there are enough of them to
   * keep the device busy, and not mostly empty.
   */
  Products products(int rows, int columns) {
    long groups = large.across(columns) * large.down(rows);
    long filled = (long) rows * columns;
    boolean busy = groups >= 2L * device.computeUnits();
    boolean full = filled >= groups * large.tile().rows() * large.tile().columns() / 2;
    return busy && full ? large : small;
  }

  int items() {
    return items;
  }

  /** Groups of {@link #items} for so many elements. */
  long groups(long elements) {
    return ceil(elements, items);
  }

  long columnGroups(int n) {
    return ceil(n, columns);
  }

  Kernel outputErrorSigmoid() {
    return outputErrorSigmoid;
  }

  Kernel outputErrorSoftmax() {
    return outputErrorSoftmax;
  }

  Kernel outputErrorLinear() {
    return outputErrorLinear;
  }

  Kernel sumLosses() {
    return sumLosses;
  }

  Kernel columnSums() {
    return columnSums;
  }

  Kernel updateSgd() {
    return updateSgd;
  }

  Kernel updateMomentum() {
    return updateMomentum;
  }

  Kernel updateAdam() {
    return updateAdam;
  }

  Kernel gather() {
    return gather;
  }

  Kernel cursorSet() {
    return cursorSet;
  }

  Kernel cursorAdvance() {
    return cursorAdvance;
  }

  void release() {
    owned.forEach(kernel -> Cl.release(kernel.handle()));
    owned.clear();
    ownedPrograms.forEach(Cl::release);
    ownedPrograms.clear();
  }
}
