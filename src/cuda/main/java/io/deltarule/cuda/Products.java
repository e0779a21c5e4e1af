package io.deltarule.cuda;

import io.deltarule.engine.Precision;
import io.deltarule.engine.spi.Operand;

/**
 * The matrix products with what follows them. Small ones are the project's own kernels, which end
 * with bias, activation or mask, in fp32 and one order of summation whatever the tile; large ones
 * are cuBLAS's, in the engine's precision, followed by one pass over their result.
 */
final class Products {
  private final Launcher launcher;
  private final Kernels kernels;
  private final Timeline timeline;
  private final Cublas cublas; // null if there is none
  private final Precision precision;
  private final Rule rule;

  /**
   * Which products are small: their time goes to launches and to waiting, not to arithmetic.
   * Measured on an H200 with all products small, and none, in fp32 and tf32, per step:
   * 28-300-300-300-300-300-1, batch 100, 81 us, 114 and 101; 100-512-512-10, batch 128, 59 us, 78
   * and 62; 784-1024-1024-1, batch 64, 104 us, 82 and 63.
   *
   * @param multiplications at most
   * @param depth the length of the sums at most
   */
  record Rule(long multiplications, int depth) {
    static final Rule DEFAULT = new Rule(1 << 25, 800);

    boolean small(long m, long n, long k) {
      return m * n * k <= multiplications && k <= depth;
    }
  }

  Products(
      Launcher launcher,
      Kernels kernels,
      Timeline timeline,
      Cublas cublas,
      Precision precision,
      Rule rule) {
    this.launcher = launcher;
    this.kernels = kernels;
    this.timeline = timeline;
    this.cublas = cublas;
    this.precision = precision;
    this.rule = rule;
  }

  /** Whether the project's own kernels compute it. */
  boolean own(long m, long n, long k) {
    return cublas == null || m == 0 || n == 0 || k == 0 || rule.small(m, n, k);
  }

  /** Whether a product is small enough to be a part of a fused step. */
  boolean small(long m, long n, long k) {
    return rule.small(m, n, k);
  }

  /** {@code A = f(X W' + 1 b')}. */
  void forward(Op.Forward op, Workspace workspace) {
    int m = op.a().rows();
    int n = op.a().columns();
    int k = op.x().columns();
    boolean keep = op.f().savesInput();
    if (op.a().size() == 0) {
      return;
    }
    Halves halves = workspace.halves();
    if (own(m, n, k)) {
      Kernels.Tile tile = kernels.tile(m, n);
      launcher
          .begin(tile.forward())
          .number(m)
          .number(n)
          .number(k)
          .number(op.f().ordinal())
          .number(keep ? 1 : 0)
          .matrix(op.x())
          .matrix(op.w())
          .matrix(op.b())
          .matrix(op.saved())
          .matrix(op.a());
      tile.blocks(launcher, m, n);
      halves.written(op.saved(), false);
      halves.written(op.a(), false);
      return;
    }
    Operand<CudaBlock> z = keep ? op.saved() : op.a();
    cublas.forward(precision, factor(op.x(), halves), factor(op.w(), halves), result(z), m, n, k);
    Address half = halves.toWrite(op.a());
    launcher
        .begin(kernels.biasActivation())
        .number(m)
        .number(n)
        .number(op.f().ordinal())
        .number(keep ? 1 : 0)
        .matrix(op.b())
        .matrix(z)
        .matrix(op.a())
        .address(half)
        .index(0);
    Kernels.blocksOfRows(launcher, m, n);
    halves.written(op.saved(), false);
    halves.written(op.a(), half != null);
  }

  /** {@code E = (D W) (.) f'(saved)}, and {@code db = E' 1} unless db is null. */
  void propagate(Op.Propagate op, Operand<CudaBlock> db, Workspace workspace) {
    int m = op.e().rows();
    int n = op.e().columns();
    int k = op.d().columns();
    Halves halves = workspace.halves();
    if (op.e().size() > 0 && !own(m, n, k)) {
      cublas.propagate(
          precision, factor(op.d(), halves), factor(op.w(), halves), result(op.e()), m, n, k);
      if (db == null) {
        mask(op, halves);
      } else {
        maskAndSum(op, db, workspace);
      }
      return;
    }
    if (op.e().size() > 0) {
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
      halves.written(op.e(), false);
    }
    if (db != null) {
      biasGradient(op.e(), db, workspace);
    }
  }

  private void mask(Op.Propagate op, Halves halves) {
    Address half = halves.toWrite(op.e());
    launcher
        .begin(kernels.mask())
        .index(op.e().size())
        .number(op.f().ordinal())
        .matrix(op.saved())
        .matrix(op.e())
        .address(half)
        .index(0)
        .blocks(Kernels.blocksOfVectors(op.e().size()), 1);
    halves.written(op.e(), half != null);
  }

  private void maskAndSum(Op.Propagate op, Operand<CudaBlock> db, Workspace workspace) {
    int m = op.e().rows();
    int n = op.e().columns();
    Address half = workspace.halves().toWrite(op.e());
    launcher
        .begin(kernels.maskColumnSums())
        .number(m)
        .number(n)
        .number(op.f().ordinal())
        .matrix(op.saved())
        .matrix(op.e())
        .address(half)
        .index(0);
    endSums(db, m, n, workspace);
    workspace.halves().written(op.e(), half != null);
    workspace.halves().written(db, false);
  }

  /** {@code db = D' 1}. */
  void biasGradient(Operand<CudaBlock> d, Operand<CudaBlock> db, Workspace workspace) {
    if (db.size() > 0) {
      launcher.begin(kernels.columnSums()).number(d.rows()).number(d.columns()).matrix(d);
      endSums(db, d.rows(), d.columns(), workspace);
      workspace.halves().written(db, false);
    }
  }

  /** The end of a launch that adds the columns of a matrix [m x n], and what adds its chunks. */
  private void endSums(Operand<CudaBlock> db, int m, int n, Workspace workspace) {
    int chunks = Kernels.chunks(m);
    if (chunks == 1) {
      Kernels.blocksOfColumns(launcher.matrix(db), n, 1);
      return;
    }
    Address sums = workspace.sums((long) chunks * n);
    Kernels.blocksOfColumns(launcher.address(sums).index(0), n, chunks);
    launcher.begin(kernels.columnSums()).number(chunks).number(n).address(sums).index(0);
    Kernels.blocksOfColumns(launcher.matrix(db), n, 1);
  }

  /** {@code dW = D' A}. */
  void weightGradient(Op.Gradients op, Workspace workspace) {
    int m = op.dw().rows();
    int n = op.dw().columns();
    int k = op.d().rows();
    Halves halves = workspace.halves();
    if (op.dw().size() > 0 && own(m, n, k)) {
      Kernels.Tile tile = kernels.tile(m, n);
      launcher
          .begin(tile.gradient())
          .number(m)
          .number(n)
          .number(k)
          .matrix(op.d())
          .matrix(op.a())
          .matrix(op.dw());
      tile.blocks(launcher, m, n);
    } else if (op.dw().size() > 0) {
      cublas.gradient(
          precision, factor(op.d(), halves), factor(op.a(), halves), result(op.dw()), m, n, k);
    }
    halves.written(op.dw(), false);
  }

  /** A factor as cuBLAS takes it in the engine's precision. */
  private Address factor(Operand<CudaBlock> matrix, Halves halves) {
    timeline.use(matrix.block());
    return precision == Precision.BF16 ? halves.of(matrix, this::round) : address(matrix);
  }

  private void round(Operand<CudaBlock> matrix, Address half) {
    launcher
        .begin(kernels.roundBf16())
        .index(matrix.size())
        .matrix(matrix)
        .address(half)
        .index(0)
        .blocks(Kernels.blocksOfVectors(matrix.size()), 1);
  }

  private Address result(Operand<CudaBlock> matrix) {
    timeline.use(matrix.block());
    return address(matrix);
  }

  private static Address address(Operand<CudaBlock> matrix) {
    return matrix.block().address().plus(4 * matrix.offset());
  }

  /** Tells which matrices will be factors of bf16 products among the calls to come. */
  void announceFactors(Iterable<Op> ops, Halves halves) {
    if (precision != Precision.BF16) {
      return;
    }
    for (Op op : ops) {
      if (op instanceof Op.Forward f && !own(f.a().rows(), f.a().columns(), f.x().columns())) {
        halves.expect(f.x());
      } else if (op instanceof Op.Propagate p
          && !own(p.e().rows(), p.e().columns(), p.d().columns())) {
        halves.expect(p.d());
      } else if (op instanceof Op.Gradients g
          && !own(g.dw().rows(), g.dw().columns(), g.d().rows())) {
        halves.expect(g.d());
        halves.expect(g.a());
      }
    }
  }
}
