package io.deltarule.opencl;

import io.deltarule.engine.Activation;
import io.deltarule.engine.spi.Operand;
import java.util.ArrayList;
import java.util.List;
import org.jocl.cl_program;

/** The three matrix products, built with one tile. Owns its program and kernels. */
final class Products {
  private final Tile tile;
  private final cl_program program;
  private final List<Kernel> owned = new ArrayList<>();
  private final Kernel forward;
  private final Kernel propagate;
  private final Kernel gradient;

  Products(Device device, Programs programs, Tile tile, String extraOptions) {
    this.tile = tile;
    program = programs.build(Sources.of("gemm.cl"), tile.options() + extraOptions);
    try {
      forward = kernel(device, "gemm_forward");
      propagate = kernel(device, "gemm_propagate");
      gradient = kernel(device, "gemm_gradient");
    } catch (RuntimeException | Error e) {
      release();
      throw e;
    }
  }

  private Kernel kernel(Device device, String name) {
    Kernel kernel = Kernel.create(device, program, name, tile.gx(), tile.gy());
    owned.add(kernel);
    return kernel;
  }

  /**
   * Whether so large a result is cut into enough tiles to keep the device busy, and none of them is
   * mostly empty.
   */
  boolean suit(int rows, int columns, Device device) {
    long groups = across(columns) * down(rows);
    return groups >= 2L * device.computeUnits()
        && (long) rows * columns >= groups * tile.rows() * tile.columns() / 2;
  }

  private long across(int columns) {
    return Kernels.ceil(columns, tile.columns());
  }

  private long down(int rows) {
    return Kernels.ceil(rows, tile.rows());
  }

  private void groups(Launcher launcher, int rows, int columns) {
    launcher.groups(across(columns), down(rows));
  }

  /** {@code A = f(X W' + 1 b')}. */
  void forward(
      Launcher launcher,
      Operand<ClBuffer> x,
      Operand<ClBuffer> w,
      Operand<ClBuffer> b,
      Activation f,
      Operand<ClBuffer> saved,
      Operand<ClBuffer> a) {
    launcher
        .begin(forward)
        .number(a.rows())
        .number(a.columns())
        .number(x.columns())
        .number(f.ordinal())
        .number(f.savesInput() ? 1 : 0)
        .matrix(x)
        .matrix(w)
        .matrix(b)
        .matrix(saved)
        .matrix(a);
    groups(launcher, a.rows(), a.columns());
  }

  /** {@code E = (D W) (.) f'(saved)}. */
  void propagate(
      Launcher launcher,
      Operand<ClBuffer> d,
      Operand<ClBuffer> w,
      Activation f,
      Operand<ClBuffer> saved,
      Operand<ClBuffer> e) {
    launcher
        .begin(propagate)
        .number(e.rows())
        .number(e.columns())
        .number(d.columns())
        .number(f.ordinal())
        .matrix(d)
        .matrix(w)
        .matrix(saved)
        .matrix(e);
    groups(launcher, e.rows(), e.columns());
  }

  /** {@code dW = D' A}. */
  void gradient(Launcher launcher, Operand<ClBuffer> d, Operand<ClBuffer> a, Operand<ClBuffer> dw) {
    launcher
        .begin(gradient)
        .number(dw.rows())
        .number(dw.columns())
        .number(d.rows())
        .matrix(d)
        .matrix(a)
        .matrix(dw);
    groups(launcher, dw.rows(), dw.columns());
  }

  void release() {
    owned.forEach(kernel -> Cl.release(kernel.handle()));
    owned.clear();
    Cl.release(program);
  }
}
