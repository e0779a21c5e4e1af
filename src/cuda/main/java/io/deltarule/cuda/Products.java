package io.deltarule.cuda;

import io.deltarule.cuda.Copies.Form;
import io.deltarule.cuda.Cublas.Factor;
import io.deltarule.cuda.Workspace.Use;
import io.deltarule.engine.Activation;
import io.deltarule.engine.Precision;
import io.deltarule.engine.spi.Operand;

/**
 * The matrix products with what follows them. Small ones are the project's own kernels, which end
 * with bias, activation or mask, in fp32 and one order of summation whatever the tile; large ones
 * are cuBLAS's, in the engine's precision, followed by one pass over their result; those of a layer
 * of one unit are passes alone.
 */
final class Products {
  /** Fast products of TF32 have rows that begin at multiples of so many floats. */
  private static final int ALIGNED = 4;

  private static final int LINE = 32; // floats of a line of memory

  /** When transposing a factor of TF32 pays: rows at least, and a weight matrix's mean of sides. */
  private static final int TALL = 1024;

  private static final int WIDE = 1500;

  private final Launcher launcher;
  private final Kernels kernels;
  private final Timeline timeline;
  private final Cublas cublas; // null if there is none
  private final Precision precision;
  private final Rule rule;
  private final CudaBlock counters; // of Kernels.COUNTERS, for column sums

  /**
   * Which products are small: their time goes to launches and to waiting, not to arithmetic.
   * Measured on an H200 with all products small, and none, in fp32 and tf32, per step:
   * 28-300-300-300-300-300-1, batch 100, 67 us, 115 and 105; 100-512-512-10, batch 128, 50 us, 76
   * and 64; 784-1024-1024-1, batch 64, 95 us, 72 and 53.
   *
   * @param multiplications at most, those for nothing beyond the edge of a narrow result included
   * @param depth the length of the sums at most
   */
  record Rule(long multiplications, int depth) {
    static final Rule DEFAULT = new Rule(1 << 25, 800);

    boolean small(long m, long n, long k) {
      return Kernels.inTiles(m, n) * k <= multiplications && k <= depth;
    }
  }

  Products(
      Launcher launcher,
      Kernels kernels,
      Timeline timeline,
      Cublas cublas,
      Precision precision,
      Rule rule,
      CudaBlock counters) {
    this.launcher = launcher;
    this.kernels = kernels;
    this.timeline = timeline;
    this.cublas = cublas;
    this.precision = precision;
    this.rule = rule;
    this.counters = counters;
  }

  /** Who computes the product of an equation. */
  private enum Way {
    /** The kernels for a layer of one unit that is not small, or has a tall batch. */
    UNIT,
    /** The project's tiles. */
    OWN,
    CUBLAS
  }

  private Way way(Op.Forward op) {
    return way(op.a().rows(), op.a().columns(), op.x().columns(), op.x().columns(), op.a());
  }

  private Way way(Op.Propagate op) {
    return way(op.e().rows(), op.d().columns(), op.e().columns(), op.d().columns(), op.e());
  }

  private Way way(Op.Gradients op) {
    return way(op.d().rows(), op.d().columns(), op.a().columns(), op.d().rows(), op.dw());
  }

  /**
   * For a batch of m rows and a layer of so many units and inputs. All equations of a layer of one
   * unit go the same way. For ten units kernels of this kind took as long on an H200 as cuBLAS's
   * products with their ends, and for 8192 rows twice as long.
   *
   * @param depth the length of the product's sums
   */
  private Way way(int m, int units, int inputs, int depth, Operand<CudaBlock> result) {
    if (result.size() > 0
        && m > 0
        && units == 1
        && (Kernels.tall(m) || !rule.small(m, units, inputs))) {
      return Way.UNIT;
    }
    return cublas == null
            || result.size() == 0
            || depth == 0
            || rule.small(result.rows(), result.columns(), depth)
        ? Way.OWN
        : Way.CUBLAS;
  }

  /** Whether a product is small enough to be a part of a fused step. */
  boolean small(long m, long n, long k) {
    return rule.small(m, n, k);
  }

  /** {@code A = f(X W' + 1 b')}. */
  void forward(Op.Forward op, Workspace workspace) {
    forward(op, true, workspace);
  }

  /**
   * Likewise.
   *
   * @param keep whether A is needed as floats, not only as the copy that the next product takes
   */
  void forward(Op.Forward op, boolean keep, Workspace workspace) {
    int m = op.a().rows();
    int n = op.a().columns();
    int k = op.x().columns();
    int keepZ = op.f().savesInput() ? 1 : 0;
    if (op.a().size() == 0) {
      return;
    }
    Copies copies = workspace.copies();
    Way way = way(op);
    if (way == Way.UNIT) {
      launcher
          .begin(kernels.unitForward())
          .number(m)
          .number(k)
          .number(op.f().ordinal())
          .number(keepZ)
          .number(rounds() ? 1 : 0)
          .number(pitch(k))
          .matrix(op.x())
          .address(copies.half(op.x()))
          .matrix(op.w())
          .matrix(op.b())
          .matrix(op.saved())
          .matrix(op.a())
          .blocks(Kernels.blocksOfUnit(m), 1);
    } else if (way == Way.OWN) {
      Kernels.Tile tile = kernels.tile(m, n);
      launcher
          .begin(tile.forward())
          .number(m)
          .number(n)
          .number(k)
          .number(op.f().ordinal())
          .number(keepZ)
          .matrix(op.x())
          .matrix(op.w())
          .matrix(op.b())
          .matrix(op.saved())
          .matrix(op.a());
      tile.blocks(launcher, m, n);
    }
    if (way != Way.CUBLAS) {
      copies.written(op.saved(), false);
      copies.written(op.a(), false);
      return;
    }
    Address product = product(op.a(), workspace);
    Factor x = factor(op.x(), Form.HALF, copies);
    Factor w = factor(op.w(), Form.WEIGHTS, copies);
    cublas.forward(precision, x, w, product, m, pitch(n), pitch(k));
    Address half = copies.toWrite(op.a());
    launcher
        .begin(kernels.biasActivation())
        .number(m)
        .number(n)
        .number(op.f().ordinal())
        .number(keepZ)
        .number(keep ? 1 : 0)
        .number(Copies.pitch(n))
        .address(product)
        .number(pitch(n))
        .matrix(op.b())
        .matrix(op.saved())
        .matrix(op.a())
        .address(half)
        .blocks(Kernels.blocksOfRows(m, width(n, half)), 1);
    copies.written(op.saved(), false);
    copies.written(op.a(), half != null);
  }

  /**
   * Whether factors are rounded to bf16: those of cuBLAS, and the inputs of a layer of one unit.
   */
  private boolean rounds() {
    return precision == Precision.BF16;
  }

  /**
   * The rows of cuBLAS's operands: in bf16 products are twice as fast where all sizes are multiples
   * of 8, so that what lies beyond is multiplied as well, zeros where it is summed.
   */
  private int pitch(int columns) {
    return rounds() ? Copies.pitch(columns) : columns;
  }

  /** Where a product of cuBLAS is to lie: where its result will, if that has its pitch. */
  private Address product(Operand<CudaBlock> result, Workspace workspace) {
    int pitch = pitch(result.columns());
    return pitch == result.columns()
        ? used(result)
        : workspace.room(Use.PRODUCT, 4L * result.rows() * pitch);
  }

  /** The columns that a launch has to cover: of a copy in bf16 also those beyond the matrix. */
  private static int width(int n, Address half) {
    return half == null ? n : Copies.pitch(n);
  }

  /** {@code E = (D W) (.) f'(saved)}. */
  void propagate(Op.Propagate op, Workspace workspace) {
    if (way(op) == Way.UNIT) {
      unitBackward(op, null, null, true, workspace);
      return;
    }
    int m = op.e().rows();
    int n = op.e().columns();
    int k = op.d().columns();
    if (op.e().size() == 0) {
      return;
    }
    if (way(op) == Way.CUBLAS) {
      Address product = multiply(op, workspace);
      if (pitch(n) != n) {
        crop(product, op.e());
      }
      launcher
          .begin(kernels.mask())
          .index(op.e().size())
          .number(op.f().ordinal())
          .matrix(op.saved())
          .matrix(op.e())
          .blocks(Kernels.blocksOfVectors(op.e().size()), 1);
    } else {
      Kernels.Tile tile = kernels.tile(m, n);
      launcher
          .begin(tile.propagate())
          .number(m)
          .number(n)
          .number(k)
          .number(op.f().ordinal())
          .matrix(op.d())
          .matrix(op.w())
          .matrix(op.saved())
          .matrix(op.e());
      tile.blocks(launcher, m, n);
    }
    workspace.copies().written(op.e(), false);
  }

  /**
   * Likewise, with what may be computed in the same pass.
   *
   * @param sums where {@code E' 1} goes, the bias gradient of the layer below, or null
   * @param above the gradients of the layer whose error is propagated, if they come with it: see
   *     {@link #comesWith}; or null
   * @param keep whether E is needed as floats, not only as the copy that the next product takes
   */
  void propagate(
      Op.Propagate op,
      Operand<CudaBlock> sums,
      Op.Gradients above,
      boolean keep,
      Workspace workspace) {
    if (way(op) == Way.UNIT) {
      unitBackward(op, sums, above, keep, workspace);
    } else if (sums != null && way(op) == Way.CUBLAS) {
      maskAndSum(op, sums, keep, workspace);
    } else {
      propagate(op, workspace);
      if (sums != null) {
        biasGradient(op.e(), sums, workspace);
      }
    }
  }

  /** Whether the gradients of a layer of one unit come with the propagation of its error. */
  boolean comesWith(Op.Gradients op, Op.Propagate propagate) {
    return way(op) == Way.UNIT
        && way(propagate) == Way.UNIT
        && op.d().coincides(propagate.d())
        && op.a().coincides(propagate.saved());
  }

  private void maskAndSum(
      Op.Propagate op, Operand<CudaBlock> sums, boolean keep, Workspace workspace) {
    int m = op.e().rows();
    int n = op.e().columns();
    Copies copies = workspace.copies();
    Address product = multiply(op, workspace);
    Address half = copies.toWrite(op.e());
    launcher
        .begin(kernels.maskColumnSums(m))
        .number(m)
        .number(n)
        .number(op.f().ordinal())
        .number(keep ? 1 : 0)
        .number(Copies.pitch(n))
        .address(product)
        .number(pitch(n))
        .matrix(op.saved())
        .address(masksByHalf(op) ? copies.half(op.saved()) : null)
        .matrix(op.e())
        .address(half);
    endSums(sums, m, n, width(n, half), workspace);
    copies.written(op.e(), half != null);
    copies.written(sums, false);
  }

  /**
   * The backward pass of a layer of one unit, or a part of it; of propagation and gradients one may
   * be null.
   */
  private void unitBackward(
      Op.Propagate propagate,
      Operand<CudaBlock> sums,
      Op.Gradients gradients,
      boolean keep,
      Workspace workspace) {
    Copies copies = workspace.copies();
    Operand<CudaBlock> d = propagate == null ? gradients.d() : propagate.d();
    Operand<CudaBlock> saved = propagate == null ? gradients.a() : propagate.saved();
    Activation f = propagate == null ? Activation.IDENTITY : propagate.f();
    Address half = propagate == null ? null : copies.toWrite(propagate.e());
    int m = d.rows();
    int n = saved.columns();
    int chunks = Kernels.chunks(m, n);
    launcher
        .begin(kernels.unitBackward(m))
        .number(m)
        .number(n)
        .number(f.ordinal())
        .number(keep ? 1 : 0)
        .number(rounds() ? 1 : 0)
        .number(pitch(n))
        .matrix(d)
        .address(propagate == null ? null : used(propagate.w()))
        .matrix(saved)
        .address(propagate == null || masksByHalf(propagate) ? copies.half(saved) : null)
        .address(propagate == null ? null : used(propagate.e()))
        .address(half)
        .address(chunks == 1 ? null : workspace.room(Use.SUMS, 4L * chunks * (2L * n + 1)))
        .address(counters.address())
        .address(sums == null ? null : used(sums))
        .address(gradients == null ? null : used(gradients.dw()))
        .address(gradients == null ? null : used(gradients.db()));
    Kernels.blocksOfColumns(launcher, m, width(n, half), chunks);
    if (propagate != null) {
      copies.written(propagate.e(), half != null);
    }
    if (sums != null) {
      copies.written(sums, false);
    }
    if (gradients != null) {
      gradients.results().forEach(result -> copies.written(result, false));
    }
  }

  /** {@code D W} by cuBLAS; gives where it lies. */
  private Address multiply(Op.Propagate op, Workspace workspace) {
    int m = op.e().rows();
    int n = op.e().columns();
    int k = op.d().columns();
    Copies copies = workspace.copies();
    Address product = product(op.e(), workspace);
    Factor d = factor(op.d(), Form.HALF, copies);
    if (precision == Precision.TF32
        && m >= TALL
        && k % ALIGNED == 0
        && n % LINE != 0) { // 8192 x 300 x 300: 23 us as it is, 15 so
      cublas.forward(precision, d, turned(op.w(), Use.RIGHT, workspace), product, m, n, k);
    } else {
      Factor w = factor(op.w(), Form.WEIGHTS, copies);
      cublas.propagate(precision, d, w, product, m, pitch(n), pitch(k));
    }
    return product;
  }

  /** Whether a mask can be read from the copy in bf16 of what was saved: its signs are all. */
  private static boolean masksByHalf(Op.Propagate op) {
    return op.f() == Activation.RELU;
  }

  /**
   * {@code dW = D' A}, {@code db = D' 1}.
   *
   * @param summed whether db has been computed with a mask
   */
  void gradients(Op.Gradients op, boolean summed, Workspace workspace) {
    if (way(op) == Way.UNIT) {
      unitBackward(null, null, op, false, workspace);
      return;
    }
    if (op.dw().size() > 0) {
      weightGradient(op, workspace);
    }
    if (!summed && !givesBiasGradient(op)) {
      biasGradient(op.d(), op.db(), workspace);
    }
  }

  /** Whether the bias gradient comes with the weight gradient. */
  boolean givesBiasGradient(Op.Gradients op) {
    return way(op) == Way.UNIT || way(op) == Way.OWN && isOneProduct(op);
  }

  /** Whether gradients are one small product. */
  boolean isSmall(Op.Gradients op) {
    return way(op) != Way.UNIT
        && isOneProduct(op)
        && rule.small(op.dw().rows(), op.dw().columns(), op.d().rows());
  }

  private boolean isOneProduct(Op.Gradients op) {
    return op.dw().size() > 0 && kernels.tile(op.dw().rows(), op.dw().columns()).sums();
  }

  /** {@code db = D' 1}. */
  private void biasGradient(Operand<CudaBlock> d, Operand<CudaBlock> db, Workspace workspace) {
    if (db.size() > 0) {
      launcher.begin(kernels.sumColumns(d.rows())).number(d.rows()).number(d.columns()).matrix(d);
      endSums(db, d.rows(), d.columns(), d.columns(), workspace);
      workspace.copies().written(db, false);
    }
  }

  /** The end of a launch that adds the columns of a matrix [m x n]. */
  private void endSums(Operand<CudaBlock> db, int m, int n, int width, Workspace workspace) {
    int chunks = Kernels.chunks(m, n);
    Address sums = chunks == 1 ? null : workspace.room(Use.SUMS, 4L * chunks * n);
    Kernels.blocksOfColumns(
        launcher.address(sums).address(counters.address()).matrix(db), m, width, chunks);
  }

  /** {@code dW = D' A}; db, too, if it is small. */
  private void weightGradient(Op.Gradients op, Workspace workspace) {
    int m = op.dw().rows();
    int n = op.dw().columns();
    int k = op.d().rows();
    Copies copies = workspace.copies();
    if (way(op) == Way.OWN) {
      Kernels.Tile tile = kernels.tile(m, n);
      launcher
          .begin(tile.gradient())
          .number(m)
          .number(n)
          .number(k)
          .matrix(op.d())
          .matrix(op.a())
          .matrix(op.dw());
      if (tile.sums()) {
        launcher.matrix(op.db());
        copies.written(op.db(), false);
      }
      tile.blocks(launcher, m, tile.sums() ? n + 1 : n);
    } else if (precision == Precision.TF32 && pays(m, n, k)) {
      Factor d = turned(op.d(), Use.LEFT, workspace);
      Factor a = turned(op.a(), Use.RIGHT, workspace);
      cublas.forward(precision, d, a, used(op.dw()), m, n, k);
    } else {
      boolean whole = pitch(m) == m && pitch(n) == n;
      Address product =
          whole ? used(op.dw()) : workspace.room(Use.PRODUCT, 4L * pitch(m) * pitch(n));
      Factor d = factor(op.d(), Form.HALF, copies);
      Factor a = factor(op.a(), Form.HALF, copies);
      cublas.gradient(precision, d, a, product, pitch(m), pitch(n), k);
      if (!whole) {
        crop(product, op.dw());
      }
    }
    copies.written(op.dw(), false);
  }

  /**
   * Whether both factors of a wide {@code D' A} are better transposed first. Hopper's fast products
   * of TF32 take rows that run along the sum, no others: on an H200, 4096 cubed, 533 us as they
   * are, 338 and two transposes of 35 so.
   */
  private static boolean pays(long m, long n, long k) {
    return k >= TALL && m * n / (m + n) >= WIDE && k % ALIGNED == 0;
  }

  /** The transpose of a matrix, until the next for the same use. */
  private Factor turned(Operand<CudaBlock> matrix, Use use, Workspace workspace) {
    int m = matrix.rows();
    int n = matrix.columns();
    Address turned = workspace.room(use, 4 * matrix.size());
    launcher.begin(kernels.turn()).number(m).number(n).matrix(matrix).address(turned);
    Kernels.blocksOfSquares(launcher, m, n);
    return new Factor(turned, m);
  }

  /** Copies a product out of rows that are longer. */
  private void crop(Address product, Operand<CudaBlock> to) {
    launcher
        .begin(kernels.crop())
        .number(to.rows())
        .number(to.columns())
        .number(pitch(to.columns()))
        .address(product)
        .matrix(to)
        .blocks(Kernels.blocksOfVectors(to.size()), 1);
  }

  /** A factor as cuBLAS takes it in the engine's precision. */
  private Factor factor(Operand<CudaBlock> matrix, Form form, Copies copies) {
    Address floats = used(matrix);
    return rounds()
        ? new Factor(copies.of(matrix, form, this::round), Copies.pitch(matrix.columns()))
        : new Factor(floats, matrix.columns());
  }

  /** Makes the carried copies that are stale, before a replay. */
  void refresh(Copies copies) {
    copies.refresh(this::round);
  }

  private void round(Operand<CudaBlock> matrix, Form form, Address copy) {
    int pitch = Copies.pitch(matrix.columns());
    int rows = form == Form.WEIGHTS ? Copies.pitch(matrix.rows()) : matrix.rows();
    launcher
        .begin(kernels.roundBf16())
        .number(matrix.rows())
        .number(matrix.columns())
        .number(rows)
        .number(pitch)
        .matrix(matrix)
        .address(copy)
        .blocks(Kernels.blocksOfVectors((long) rows * pitch), 1);
  }

  /** The address of a matrix that a launch uses. */
  Address used(Operand<CudaBlock> matrix) {
    timeline.use(matrix.block());
    return matrix.block().address().plus(4 * matrix.offset());
  }

  /** Tells which copies products will ask for among the calls to come. */
  void announceCopies(Iterable<Op> ops, Copies copies) {
    if (!rounds()) {
      return;
    }
    for (Op op : ops) {
      if (op instanceof Op.Forward f && way(f) != Way.OWN) {
        copies.expect(f.x(), Form.HALF);
        if (way(f) == Way.CUBLAS) {
          copies.expect(f.w(), Form.WEIGHTS);
        }
      } else if (op instanceof Op.Propagate p && way(p) == Way.CUBLAS) {
        copies.expect(p.d(), Form.HALF);
        copies.expect(p.w(), Form.WEIGHTS);
      } else if (op instanceof Op.Gradients g && way(g) == Way.CUBLAS) {
        copies.expect(g.d(), Form.HALF);
        copies.expect(g.a(), Form.HALF);
      }
    }
  }

  /**
   * Whether a call reads the floats of a matrix whose copy of form HALF is there. That of weights
   * is another, which is made from floats.
   *
   * @param summed whether a bias gradient belongs to the call that is computed with a mask: that of
   *     a gradients call before it, that of a propagation by it
   */
  boolean readsFloats(Op op, Operand<CudaBlock> matrix, boolean summed) {
    if (op instanceof Op.Gather gather) {
      return gather.data().overlaps(matrix);
    } else if (op instanceof Op.Forward f) {
      return reads(matrix, f.x(), way(f) != Way.OWN)
          || reads(matrix, f.w(), false)
          || reads(matrix, f.b(), false);
    } else if (op instanceof Op.Propagate p) {
      boolean takesCopy = way(p) == Way.UNIT || way(p) == Way.CUBLAS && summed;
      return reads(matrix, p.d(), way(p) == Way.CUBLAS)
          || reads(matrix, p.w(), false)
          || reads(matrix, p.saved(), takesCopy && masksByHalf(p));
    } else if (op instanceof Op.Gradients g) {
      return reads(matrix, g.d(), way(g) == Way.CUBLAS && summed)
          || reads(matrix, g.a(), way(g) != Way.OWN);
    }
    return op.operands().stream().anyMatch(matrix::overlaps);
  }

  private static boolean reads(
      Operand<CudaBlock> matrix, Operand<CudaBlock> operand, boolean copyWillDo) {
    return operand.overlaps(matrix) && !(copyWillDo && operand.coincides(matrix));
  }
}
