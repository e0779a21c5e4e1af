package io.deltarule.opencl;

import io.deltarule.engine.EngineException;
import io.deltarule.engine.EngineMemoryException;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import org.jocl.cl_program;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The kernels of an engine, built for its device. Owns programs and kernels. */
final class Kernels {
  private static final Logger LOG = LoggerFactory.getLogger(Kernels.class);

  private static final int MOST_ITEMS = 128;
  private static final int MOST_COLUMNS = 16;
  private static final int VECTOR_OF_GPU = 4;

  private final Device device;
  private final Programs programs;
  private final String extraOptions;
  private final List<cl_program> ownedPrograms = new ArrayList<>();
  private final List<Kernel> owned = new ArrayList<>();
  private final int items; // of a group, a power of two
  private final int columns; // that a group of column_sums adds
  private final int vector; // numbers of an item of update and gather
  private final List<Products> products = new ArrayList<>(); // of each tile; null until used
  private final BitSet refused = new BitSet(); // tiles that the device cannot run
  private List<Tile> tiles = List.of();
  private boolean firstAlways; // for the tuner
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
   * Builds all kernels but the products of larger tiles, which are built when they are needed.
   *
   * @param extraOptions for the compiler, such as {@code " -DPLANT_RACE=1"}; mostly empty
   */
  Kernels(Device device, Programs programs, Tuning tuning, String extraOptions) {
    this.device = device;
    this.programs = programs;
    this.extraOptions = extraOptions;
    items = Integer.highestOneBit((int) Math.min(MOST_ITEMS, device.groupItems()));
    columns = Math.min(MOST_COLUMNS, items);
    vector = device.cpu() ? 1 : VECTOR_OF_GPU; // a compiler for CPUs makes its own of several items
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
            "-DWG=" + items + " -DCX=" + columns + " -DVW=" + vector + device.macro(),
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

  /**
   * The products for a result of this shape: with the first tile of which there are enough, none of
   * them mostly empty.
   *
   * @param chunks that the sums may be cut into, each of which has all tiles
   */
  Products products(int rows, int columns, long chunks) {
    if (firstAlways) {
      return products.get(0);
    }
    for (int i = 0; i < tiles.size() - 1; i++) {
      Tile tile = tiles.get(i);
      if (tile.count(rows, columns) * chunks >= enoughGroups()
          && tile.suits(rows, columns)
          && build(i)) {
        return products.get(i);
      }
    }
    return products.get(tiles.size() - 1);
  }

  /**
   * Builds products when they are needed for the first time.
   *
   * @return false if the device cannot run them, such as for want of registers
   */
  private boolean build(int i) {
    if (products.get(i) == null && !refused.get(i)) {
      try {
        products.set(i, new Products(device, programs, tiles.get(i), false, extraOptions));
      } catch (EngineMemoryException e) {
        throw e; // another time there may be room
      } catch (EngineException e) {
        LOG.warn("opencl: products are done without {}: {}", tiles.get(i), e.getMessage());
        refused.set(i);
      }
    }
    return products.get(i) != null;
  }

  /** The groups that keep the device busy: nearly two for each unit. */
  long enoughGroups() {
    return ceil(7L * device.computeUnits(), 4);
  }

  /** Whether gradients of so many groups are better one launch: there time goes to launches. */
  boolean areOneLaunch(Products candidate, long groups) {
    return groups < enoughGroups() && candidate.haveGradients() && !firstAlways;
  }

  /**
   * Lets all products have the first tile, and gradients two launches; or no longer.
   *
   * @throws EngineException if the device cannot run it
   */
  void useFirstAlways(boolean always) {
    if (always && products.get(0) == null) {
      products.set(0, new Products(device, programs, tiles.get(0), false, extraOptions));
    }
    firstAlways = always;
  }

  /** Replaces the tiles of the products; on failure everything stays. */
  void use(Tuning tuning) {
    int last = tuning.tiles().size() - 1;
    Tile tile = tuning.tiles().get(last);
    boolean stays = !tiles.isEmpty() && tile.equals(tiles.get(tiles.size() - 1));
    Products small =
        stays
            ? products.remove(products.size() - 1)
            : new Products(device, programs, tile, true, extraOptions);
    releaseProducts();
    tiles = tuning.tiles();
    products.addAll(Collections.nCopies(last, null));
    products.add(small);
  }

  private void releaseProducts() {
    products.stream().filter(Objects::nonNull).forEach(Products::release);
    products.clear();
    refused.clear();
  }

  int items() {
    return items;
  }

  /** Groups of an update or a gathering of so many elements. */
  long groups(long elements) {
    return ceil(elements, (long) items * vector);
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
