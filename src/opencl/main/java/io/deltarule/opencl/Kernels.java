package io.deltarule.opencl;

import java.util.ArrayList;
import java.util.List;
import org.jocl.cl_program;

/** The kernels of an engine, built for its device. Owns programs and kernels. */
final class Kernels {
  private static final int MOST_ITEMS = 128;
  private static final int MOST_COLUMNS = 16;

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
   * @param extraOptions for the compiler, such as {@code " -DPLANT_RACE=1"}; mostly empty
   */
  Kernels(Device device, Programs programs, Tuning tuning, String extraOptions) {
    this.device = device;
    this.programs = programs;
    this.extraOptions = extraOptions;
    items = Integer.highestOneBit((int) Math.min(MOST_ITEMS, device.groupItems()));
    columns = Math.min(MOST_COLUMNS, items);
    try {
      buildRest();
      use(tuning);
    } catch (RuntimeException | Error e) {
      release();
      throw e;
    }
  }

  private void buildRest() {
    cl_program program =
        program(
            "-DWG=" + items + " -DCX=" + columns + " -DVW=1",
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

  private cl_program program(String macros, String... files) {
    cl_program program = programs.build(Sources.of(files), macros + extraOptions);
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

  /** The products for a result of this shape. */
  Products products(int rows, int columns) {
    return large.suit(rows, columns, device) ? large : small;
  }

  /** Replaces the tiles of the products; on failure everything stays. */
  void use(Tuning tuning) {
    Products newLarge = new Products(device, programs, tuning.large(), extraOptions);
    try {
      Products newSmall =
          tuning.small().equals(tuning.large())
              ? newLarge
              : new Products(device, programs, tuning.small(), extraOptions);
      releaseProducts();
      large = newLarge;
      small = newSmall;
    } catch (RuntimeException | Error e) {
      newLarge.release();
      throw e;
    }
  }

  private void releaseProducts() {
    if (small != null && small != large) {
      small.release();
    }
    if (large != null) {
      large.release();
    }
    large = null;
    small = null;
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
    releaseProducts();
  }
}
