package io.deltarule.opencl;

import io.deltarule.engine.Activation;
import io.deltarule.engine.spi.Operand;
import java.util.ArrayList;
import java.util.List;
import org.jocl.cl_program;

/** The matrix products, built with one tile. Owns its program and kernels. */
final class Products {
  private final Tile tile;
  private final cl_program program;
  private final List<Kernel> owned = new ArrayList<>();
  private final Kernel forward;
  private final Kernel propagate;
  private final Kernel gradient;
  private final Kernel gradients; // null on a CPU, and unless they are small
  private final Kernel gradientChunks; // null on a CPU

  /**
   * Builds them. PoCL would take 20 s for gemm_gradients alone, so CPUs do without.
   *
   * @param small whether for results that do not keep the device busy
   */
  Products(Device device, Programs programs, Tile tile, boolean small, String extraOptions) {
    this.tile = tile;
    List<String> sources = new ArrayList<>(List.of("gemm.cl"));
    boolean gpu = !device.cpu();
    if (gpu) {
      sources.add("gemm_chunks.cl");
    }
    if (gpu && small) {
      sources.add("gemm_gradients.cl");
    }
    program =
        programs.build(
            Sources.of(sources.toArray(String[]::new)),
            tile.options() + device.macro() + extraOptions);
    try {
      forward = kernel(device, "gemm_forward");
      propagate = kernel(device, "gemm_propagate");
      gradient = kernel(device, "gemm_gradient");
      gradientChunks = gpu ? kernel(device, "gemm_gradient_chunks") : null;
      gradients = gpu && small ? kernel(device, "gemm_gradients") : null;
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

  /** Whether there is {@link #gradients}. */
  boolean haveGradients() {
    return gradients != null;
  }

  Tile tile() {
    return tile;
  }

  private void groups(Launcher launcher, int rows, int columns) {
    launcher.groups(tile.across(columns), tile.down(rows));
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

  /** {@code [dW db] = D' [A 1]}. */
  void gradients(
      Launcher launcher,
      Operand<ClBuffer> d,
      Operand<ClBuffer> a,
      Operand<ClBuffer> dw,
      Operand<ClBuffer> db) {
    launcher
        .begin(gradients)
        .number(dw.rows())
        .number(dw.columns())
        .number(d.rows())
        .matrix(d)
        .matrix(a)
        .matrix(dw)
        .matrix(db);
    groups(launcher, dw.rows(), dw.columns() + 1);
  }

  /**
   * {@code dW = D' A} of so many rows each time, beside each other.
   *
   * @param to gets [chunks x dw's elements]
   */
  void gradientChunks(
      Launcher launcher,
      Operand<ClBuffer> d,
      Operand<ClBuffer> a,
      Operand<ClBuffer> dw,
      int depth,
      ClBuffer to) {
    launcher
        .begin(gradientChunks)
        .number(dw.rows())
        .number(dw.columns())
        .number(d.rows())
        .number(depth)
        .matrix(d)
        .matrix(a)
        .buffer(to)
        .groups(tile.across(dw.columns()), Kernels.ceil(d.rows(), depth) * tile.down(dw.rows()));
  }

  void release() {
    owned.forEach(kernel -> Cl.release(kernel.handle()));
    owned.clear();
    Cl.release(program);
  }
}
